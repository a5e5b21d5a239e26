import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { userData } from "../jupyter/folders.js";

export interface Entry {
  readonly session: number;
  readonly line: number;
  readonly input: string;
  readonly output: string | null;
}

/** One line of a file: a cell, or what came of it. */
type Written = { readonly line: number } & ({ readonly input: string } | { readonly output: string });

/** Sessions that are kept; older ones are removed when a new one begins. */
const MOST_SESSIONS = 500;

/**
 * History on disk, one file a kernel: `<Jupyter's data folder>/nibble-lab/history/<session>.jsonl`. A kernel that runs no cell
 * leaves none. Where the folder cannot be written, history ends with the kernel.
 */
export class HistoryFiles {
  private own: number | null = null;
  private readonly read = new Map<number, readonly Entry[]>();
  private readonly current = new Map<number, Entry>();
  private broken = false;

  constructor(private readonly folder = join(userData(), "nibble-lab", "history")) {}

  write(written: Written): void {
    const session = this.begin();
    const before = this.current.get(written.line);
    const entry = before ?? { session, line: written.line, input: "", output: null };
    this.current.set(written.line, { ...entry, ...written });
    if (!this.broken) this.tryTo(() => appendFileSync(this.file(session), `${JSON.stringify(written)}\n`));
  }

  /** As `history_request` counts: 0 is this kernel, -1 the one before, others are numbers of sessions. */
  session(asked: number): number {
    if (asked > 0) return asked;
    const newest = this.own ?? (this.numbers()[0] ?? 0) + 1;
    return newest + asked;
  }

  /** Numbers of sessions, newest first. */
  sessions(): number[] {
    return this.own === null ? this.numbers() : [this.own, ...this.numbers().filter((number) => number !== this.own)];
  }

  entries(session: number): readonly Entry[] {
    if (session === this.own) return [...this.current.values()];
    const known = this.read.get(session) ?? parse(session, contents(this.file(session)));
    this.read.set(session, known);
    return known;
  }

  /** The first cell takes the next free number: creating its file fails where another kernel was quicker. */
  private begin(): number {
    if (this.own !== null) return this.own;
    this.own = (this.numbers()[0] ?? 0) + 1;
    this.tryTo(() => {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      while (!createsNew(this.file(this.own!))) this.own! += 1;
      for (const old of this.numbers().slice(MOST_SESSIONS)) rmSync(this.file(old), { force: true });
    });
    return this.own;
  }

  private numbers(): number[] {
    let names: string[];
    try {
      names = readdirSync(this.folder);
    } catch {
      return []; // no kernel has written here yet
    }
    const numbers = names.flatMap((name) => (/^\d+\.jsonl$/.test(name) ? [Number.parseInt(name, 10)] : []));
    return numbers.sort((a, b) => b - a);
  }

  private file(session: number): string {
    return join(this.folder, `${session}.jsonl`);
  }

  private tryTo(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.broken = true;
      process.stderr.write(`History is not kept: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}

function createsNew(path: string): boolean {
  try {
    closeSync(openSync(path, "wx", 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function contents(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // removed meanwhile
  }
}

/** A line that was cut off by a crash is left out. */
function parse(session: number, text: string): Entry[] {
  const entries = new Map<number, Entry>();
  for (const line of text.split("\n")) {
    try {
      const written = JSON.parse(line) as Written;
      const entry = entries.get(written.line) ?? { session, line: written.line, input: "", output: null };
      entries.set(written.line, { ...entry, ...written });
    } catch {
      continue;
    }
  }
  return [...entries.values()];
}
