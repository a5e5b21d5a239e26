import { flagField, numberField, textField, type Content } from "../jupyter/protocol.js";
import { HistoryFiles, type Entry } from "./history-files.js";

/** What was run, in this kernel and in earlier ones, for `history_request`: tail, range and search. */
export class History {
  constructor(private readonly files = new HistoryFiles()) {}

  add(line: number, input: string): void {
    this.files.write({ line, input });
  }

  /** The text form of a result, once it is there. */
  setOutput(line: number, output: string): void {
    this.files.write({ line, output });
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
        const session = this.files.session(numberField(request, "session", 0));
        return this.files.entries(session).filter(({ line }) => line >= start && line < stop);
      }
      case "search": {
        const pattern = globPattern(textField(request, "pattern", "*"));
        return this.latest(count, (entry) => pattern.test(entry.input), flagField(request, "unique", false));
      }
      default:
        return this.latest(count, () => true, false);
    }
  }

  /** The last `count` entries that fit, oldest first; with `unique` the last of each input. */
  private latest(count: number, fits: (entry: Entry) => boolean, unique: boolean): Entry[] {
    const found: Entry[] = [];
    const inputs = new Set<string>();
    for (const session of this.files.sessions()) {
      for (const entry of this.files.entries(session).toReversed()) {
        if (found.length >= count) return found.reverse();
        if (!fits(entry) || (unique && inputs.has(entry.input))) continue;
        inputs.add(entry.input);
        found.push(entry);
      }
    }
    return found.reverse();
  }
}

/** `*` and `?` as in a shell, over the whole input. */
function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, "[^]*")
    .replace(/\?/g, "[^]");
  return new RegExp(`^${source}$`);
}
