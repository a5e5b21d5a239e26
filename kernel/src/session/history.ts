import type { Content } from "../jupyter/protocol.js";
import { flagField, numberField, textField } from "../jupyter/protocol.js";

interface Entry {
  readonly session: number;
  readonly line: number;
  readonly input: string;
  output: string | null;
}

/** What was run, for `history_request`: tail, range and search. */
export class History {
  private readonly entries: Entry[] = [];
  private readonly session = 1;

  add(line: number, input: string): void {
    this.entries.push({ session: this.session, line, input, output: null });
  }

  /** The text form of a result, once it is there. */
  setOutput(line: number, output: string): void {
    const entry = this.entries.findLast((it) => it.line === line);
    if (entry !== undefined) entry.output = output;
  }

  reply(request: Content): Content {
    const wantOutput = flagField(request, "output", false);
    const rows = this.select(request).map(({ session, line, input, output }) => {
      return [session, line, wantOutput ? [input, output] : input];
    });
    return { status: "ok", history: rows };
  }

  private select(request: Content): Entry[] {
    const count = numberField(request, "n", Infinity);
    switch (textField(request, "hist_access_type")) {
      case "range": {
        const start = numberField(request, "start", 0);
        const stop = numberField(request, "stop", Infinity);
        const asked = numberField(request, "session", 0);
        const session = asked <= 0 ? this.session + asked : asked;
        return this.entries.filter((it) => it.session === session && it.line >= start && it.line < stop);
      }
      case "search": {
        const pattern = globPattern(textField(request, "pattern", "*"));
        const found = this.entries.filter((it) => pattern.test(it.input));
        return latest(flagField(request, "unique", false) ? unique(found) : found, count);
      }
      default:
        return latest(this.entries, count);
    }
  }
}

function latest(entries: readonly Entry[], count: number): Entry[] {
  return Number.isFinite(count) ? entries.slice(Math.max(0, entries.length - count)) : [...entries];
}

/** The last of each input. */
function unique(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [entry.input, entry])).values()].sort((a, b) => a.line - b.line);
}

/** `*` and `?` as in a shell, over the whole input. */
function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, "[^]*")
    .replace(/\?/g, "[^]");
  return new RegExp(`^${source}$`);
}
