import { codePointsToUnits, unitsToCodePoints, type Content } from "../jupyter/protocol.js";
import type { Declared } from "./declarations.js";
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
  | { readonly op: "complete"; readonly source: string; readonly offset: number }
  | { readonly op: "inspect"; readonly source: string; readonly offset: number; readonly detail: number };

/** Types, for those who write: answered by the language service in its own thread, also while a cell runs. */
export class Language {
  private readonly worker = new WorkerClient<LanguageQuestion>(new URL("./language-worker.js", import.meta.url));

  addCell(count: number, source: string, declared: readonly Declared[]): void {
    void this.worker.ask({ op: "addCell", count, source, declared });
  }

  /** The executor is new: no cell is known. */
  forget(): void {
    void this.worker.ask({ op: "forget" });
  }

  async complete(source: string, cursor: number): Promise<Content> {
    const offset = codePointsToUnits(source, cursor);
    const { start, end, entries } = await this.worker.ask<Completions>({ op: "complete", source, offset });
    const [from, to] = [unitsToCodePoints(source, start), unitsToCodePoints(source, end)];
    const typed = entries.map(({ text, type, signature }) => ({ start: from, end: to, text, type, signature }));
    return {
      status: "ok",
      matches: entries.map(({ text }) => text),
      cursor_start: from,
      cursor_end: to,
      metadata: { _jupyter_types_experimental: typed },
    };
  }

  async inspect(source: string, offset: number, detail: number): Promise<Content> {
    const found = await this.worker.ask<Inspection | null>({ op: "inspect", source, offset, detail });
    if (found === null) return { status: "ok", found: false, data: {}, metadata: {} };
    return { status: "ok", found: true, data: { "text/plain": found.text, "text/markdown": found.markdown }, metadata: {} };
  }
}
