import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import type { Bundle, DisplayContent } from "../jupyter/protocol.js";
import type { Cells } from "./cells.js";
import type { Comms } from "./comms.js";
import { bundleOf, plainText, Shown } from "./display.js";
import { errorContent } from "./errors.js";
import type { FromMain } from "./messages.js";
import { progressBundle, type ProgressState } from "./progress.js";
import { tableBundle } from "./table.js";

type Post = (message: FromMain, buffers?: readonly Uint8Array[]) => void;
const IMAGE_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".svg": "image/svg+xml",
};
const PROGRESS_PERIOD_MS = 100;

/** A display that can change after it was shown. */
export interface DisplayHandle {
  readonly id: string;
  update(value: unknown): void;
}

/** The names that every cell has without an import. A cell that defines one of them shadows it for itself and later cells. */
export class Globals {
  private inputs = 0;
  private readonly answers = new Map<number, (value: string) => void>();

  constructor(
    private readonly cells: Cells,
    private readonly post: Post,
    private readonly comms: Comms,
  ) {}

  install(): void {
    const { display, input, progress, clearOutput } = this;
    const kernel = this.kernel();
    const all = { display, html, md, svg, image, table, clearOutput, input, progress, kernel };
    for (const [name, value] of Object.entries(all)) {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
    }
  }

  answer(id: number, value: string): void {
    this.answers.get(id)?.(value);
    this.answers.delete(id);
  }

  /** Shows a bundle now; `id` makes it one that can be updated. */
  show(bundle: Bundle, id?: string, update = false): void {
    const run = this.cells.current?.cell.run ?? 0;
    const transient = id === undefined ? {} : { display_id: id };
    this.post({ kind: "display", run, update, content: { data: bundle, metadata: {}, transient } });
  }

  private kernel(): object {
    const { cells, comms } = this;
    return {
      comms,
      /** Aborts when the running cell is interrupted. */
      get signal(): AbortSignal {
        return cells.current?.abort.signal ?? new AbortController().signal;
      },
    };
  }

  private readonly display = (value: unknown, options: { id?: string } = {}): DisplayHandle => {
    const id = options.id ?? randomUUID();
    this.present(value, id, false);
    return { id, update: (next) => this.present(next, id, true) };
  };

  /** At once where the bundle is there; else in turn, so that an update never overtakes what it updates. */
  private present(value: unknown, id: string, update: boolean): void {
    const run = this.cells.current;
    const bundle = bundleOf(value);
    if (!(bundle instanceof Promise) && !run?.pending) return this.show(bundle.data, id, update);
    const turn = this.inTurn(run?.pending ?? null, bundle, id, update);
    if (run === null) return;
    run.pending = turn;
    void turn.then(() => {
      if (run.pending === turn) run.pending = null;
    });
  }

  private async inTurn(
    before: Promise<void> | null,
    bundle: DisplayContent | Promise<DisplayContent>,
    id: string,
    update: boolean,
  ): Promise<void> {
    await before;
    try {
      this.show((await bundle).data, id, update);
    } catch (error) {
      this.show({ "text/plain": errorContent(error).traceback.join("\n") }, id, update);
    }
  }

  private readonly clearOutput = (options: { wait?: boolean } = {}): void => {
    this.post({ kind: "clear", run: this.cells.current?.cell.run ?? 0, wait: options.wait ?? false });
  };

  private readonly input = async (prompt = "", options: { password?: boolean } = {}): Promise<string> => {
    const run = this.cells.current;
    if (run?.cell.allowStdin !== true)
      throw new Error("[input] this front end asks nobody. Run the cell where somebody can answer.");
    const id = ++this.inputs;
    this.post({ kind: "input", run: run.cell.run, id, prompt, password: options.password ?? false });
    return new Promise((resolve) => this.answers.set(id, resolve));
  };

  /** A bar that follows an iteration: `for (const x of progress(xs))`. */
  private readonly progress = <T>(values: Iterable<T>, label = ""): Iterable<T> => {
    const show = (state: ProgressState, update: boolean) => this.show(progressBundle(state), id, update);
    const id = randomUUID();
    const known = values as { length?: number; size?: number };
    const total = known.length ?? known.size ?? 0;
    return (function* () {
      let done = 0;
      let shownAt = Date.now();
      show({ label, done, total, unit: "" }, false);
      try {
        for (const value of values) {
          yield value;
          done += 1;
          if (Date.now() - shownAt < PROGRESS_PERIOD_MS) continue;
          shownAt = Date.now();
          show({ label, done, total, unit: "" }, true);
        }
      } finally {
        show({ label, done, total, unit: "" }, true);
      }
    })();
  };
}

type Text = string | TemplateStringsArray;

function joined(text: Text, values: readonly unknown[]): string {
  return typeof text === "string" ? text : String.raw({ raw: text }, ...values);
}

function html(text: Text, ...values: unknown[]): Shown {
  const source = joined(text, values);
  return new Shown({ "text/html": source, "text/plain": source });
}

function md(text: Text, ...values: unknown[]): Shown {
  const source = joined(text, values);
  return new Shown({ "text/markdown": source, "text/plain": source });
}

function svg(text: Text, ...values: unknown[]): Shown {
  const source = joined(text, values);
  return new Shown({ "image/svg+xml": source, "text/plain": source });
}

/** A picture from a file, or from bytes of a PNG, JPEG or GIF. */
function image(source: string | Uint8Array): Shown {
  const bytes = typeof source === "string" ? readFileSync(source) : Buffer.from(source);
  const type = typeof source === "string" ? IMAGE_TYPES[extname(source).toLowerCase()] : sniffed(bytes);
  if (type === undefined) {
    const what = typeof source === "string" ? source : `bytes that begin with ${bytes.subarray(0, 4).toString("hex")}`;
    throw new TypeError(`[image] ${what}. Supported: ${Object.keys(IMAGE_TYPES).join(", ")}.`);
  }
  const data = type === "image/svg+xml" ? bytes.toString("utf8") : bytes.toString("base64");
  return new Shown({ [type]: data, "text/plain": `[${type}, ${bytes.length} bytes]` });
}

function sniffed(bytes: Buffer): string | undefined {
  const head = bytes.subarray(0, 4).toString("latin1");
  if (head === "\u0089PNG") return "image/png";
  if (head.startsWith("\u00ff\u00d8\u00ff")) return "image/jpeg";
  return head === "GIF8" ? "image/gif" : undefined;
}

/** Records, one a row. */
function table(rows: readonly unknown[]): Shown {
  return new Shown({ ...tableBundle(rows), "text/plain": plainText(rows) });
}
