import { codePointsToUnits, unitsToCodePoints, type Content } from "../jupyter/protocol.js";
import { isMember, wordBefore } from "./cursor.js";
import type { Declared } from "./declarations.js";
import type { TypeProblem } from "./diagnostics.js";
import { WorkerClient } from "./worker-client.js";

export interface Completion {
  readonly text: string;
  /** The language service's word for what it is: "function", "property", … */
  readonly type: string;
  readonly signature: string;
}

export interface Completions {
  /** UTF-16 units in the cell; what the matches replace. */
  readonly start: number;
  readonly end: number;
  readonly entries: readonly Completion[];
}

export interface Inspection {
  readonly text: string;
  readonly markdown: string;
}

export type LanguageQuestion =
  | { readonly op: "addCell"; readonly count: number; readonly source: string; readonly declared: readonly Declared[] }
  | { readonly op: "forget" }
  /** Reads the libraries' types now, so that the first question need not wait. */
  | { readonly op: "warm" }
  | { readonly op: "check"; readonly source: string }
  | { readonly op: "complete"; readonly source: string; readonly offset: number }
  | { readonly op: "inspect"; readonly source: string; readonly offset: number; readonly detail: number };

/** While the types are still being read, a name waits this long before names alone answer it; a member waits for its type. */
const COLD_WAIT_MS = 1500;

interface Early {
  readonly question: LanguageQuestion;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Types, for those who write: answered by the language service in its own thread, also while a cell runs. */
export class Language {
  private isWarm = false;
  /** What was asked before the worker was wanted; null from then on. */
  private early: Early[] | null = [];
  /** Every cell since the executor started: a thread that takes the place of one that failed is told them again. */
  private cells: LanguageQuestion[] = [];
  private readonly worker = new WorkerClient<LanguageQuestion>(new URL("./language-worker.js", import.meta.url), () => {
    this.isWarm = false;
    this.early = this.cells.map((question) => ({ question, resolve: ignoreReported, reject: ignoreReported }));
  });

  /** @param names every name that a cell can use now: the answer while types are still being read */
  constructor(private readonly names: () => Promise<readonly string[]>) {}

  /** Starts to read types, which takes a processor for seconds; a question of the front end starts it as well. */
  warm(): void {
    if (this.early === null) return;
    const early = this.early;
    this.early = null;
    void this.worker.ask({ op: "warm" }).then(() => (this.isWarm = true), ignoreReported);
    for (const { question, resolve, reject } of early) this.worker.ask(question).then(resolve, reject);
  }

  addCell(count: number, source: string, declared: readonly Declared[]): void {
    const question = { op: "addCell", count, source, declared } as const;
    this.inOrder(question).catch(ignoreReported);
    this.cells.push(question);
  }

  /** The executor is new: no cell is known. */
  forget(): void {
    this.cells = [];
    this.inOrder({ op: "forget" }).catch(ignoreReported);
  }

  /**
   * Mistakes in the types of a cell that is about to run; while types are not yet wanted, the answer waits for `warm`.
   * A cell on which TypeScript itself fails has none: it runs.
   */
  check(source: string): Promise<readonly TypeProblem[]> {
    return this.inOrder<readonly TypeProblem[]>({ op: "check", source }).catch(() => []);
  }

  /** The answer if types have been read and it comes within the limit; null where it would be waited for. */
  async soon<Answer>(answer: Promise<Answer>, limitMs: number): Promise<Answer | null> {
    if (!this.isWarm || (await isPendingAfter(answer, limitMs))) return null;
    return answer;
  }

  private inOrder<Answer>(question: LanguageQuestion): Promise<Answer> {
    if (this.early === null) return this.worker.ask(question);
    return new Promise((resolve, reject) => this.early!.push({ question, resolve: resolve as never, reject }));
  }

  async complete(source: string, cursor: number): Promise<Content> {
    this.warm();
    const offset = codePointsToUnits(source, cursor);
    const typedAnswer = this.worker.ask<Completions>({ op: "complete", source, offset });
    const canGuess = !this.isWarm && !isMember(source, offset);
    const isLate = canGuess && (await isPendingAfter(typedAnswer, COLD_WAIT_MS));
    const { start, end, entries } = isLate ? namesOnly(source, offset, await this.names()) : await typedAnswer;
    if (!isLate) this.isWarm = true;
    const [from, to] = [unitsToCodePoints(source, start), unitsToCodePoints(source, end)];
    const typed = entries.map(({ text, type, signature }) => ({ start: from, end: to, text, type, signature }));
    return {
      status: "ok",
      matches: entries.map(({ text }) => text),
      cursor_start: from,
      cursor_end: to,
      metadata: { _jupyter_types_experimental: typed, ...(isLate ? { nibble_lab: { types: "loading" } } : {}) },
    };
  }

  async inspect(source: string, offset: number, detail: number): Promise<Content> {
    this.warm();
    const found = await this.worker.ask<Inspection | null>({ op: "inspect", source, offset, detail });
    if (found === null) return { status: "ok", found: false, data: {}, metadata: {} };
    return {
      status: "ok",
      found: true,
      data: { "text/plain": found.text, "text/markdown": found.markdown },
      metadata: {},
    };
  }
}

/** The worker's client has said on stderr what went wrong. */
function ignoreReported(): void {}

async function isPendingAfter(answer: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(true), limitMs)));
  const isLate = await Promise.race([answer.then(() => false), late]);
  clearTimeout(timer);
  return isLate;
}

/** Names that begin as the word at the cursor does, from earlier cells and from this one. */
function namesOnly(source: string, offset: number, names: readonly string[]): Completions {
  const word = wordBefore(source, offset);
  const start = offset - word.length;
  const own =
    (source.slice(0, start) + " " + source.slice(offset)).match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu) ?? [];
  const fitting = [...new Set([...names, ...own])].filter((name) => name.startsWith(word)).sort();
  return { start, end: offset, entries: fitting.map((text) => ({ text, type: "", signature: "" })) };
}
