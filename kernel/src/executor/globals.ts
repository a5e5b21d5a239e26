import { randomUUID } from "node:crypto";
import type { Bundle, DisplayContent } from "../jupyter/protocol.js";
import type { Cells } from "./cells.js";
import type { Comms } from "./comms.js";
import { bundleOf, DisplayHandle, rawBundle } from "./display.js";
import { errorContent } from "./errors.js";
import { html, image, md, svg, table } from "./media.js";
import type { FromMain } from "./messages.js";
import { progress, type ProgressOptions } from "./progress-bar.js";

type Post = (message: FromMain, buffers?: readonly Uint8Array[]) => void;
/** How a value is shown. */
export interface DisplayOptions {
  /** The place that later updates change; without it a new one. */
  readonly id?: string;
  /** The value is a MIME bundle. */
  readonly raw?: boolean;
  /** Changes what was shown under this id. */
  readonly update?: boolean;
  /** By MIME type, for those who draw it. */
  readonly metadata?: Bundle;
}

/** The names that every cell has without an import. A cell that defines one of them shadows it for itself and later cells. */
export class Globals {
  private inputs = 0;
  private readonly answers = new Map<number, (value: string) => void>();

  constructor(
    private readonly cells: Cells,
    private readonly post: Post,
    private readonly comms: Comms,
    /** Blocks until the question of this number is answered. */
    private readonly waitForAnswer: (id: number) => string,
  ) {}

  install(): void {
    const { display, input, prompt, clearOutput } = this;
    const bar = (what: unknown, options?: string | ProgressOptions) =>
      progress((bundle, id, update) => this.show(bundle, id, update), what, options);
    const kernel = this.kernel();
    const all = { display, html, md, svg, image, table, clearOutput, input, prompt, progress: bar, kernel };
    for (const [name, value] of Object.entries(all)) {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
    }
  }

  answer(id: number, value: string): void {
    this.answers.get(id)?.(value);
    this.answers.delete(id);
  }

  /** Shows a bundle now; `id` makes it one that can be updated. */
  show(bundle: Bundle, id?: string, update = false, metadata: Bundle = {}): void {
    const run = this.cells.current?.cell.run ?? 0;
    const transient = id === undefined ? {} : { display_id: id };
    this.post({ kind: "display", run, update, content: { data: bundle, metadata, transient } });
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

  private readonly display = (value: unknown, options: DisplayOptions = {}): DisplayHandle => {
    const { id = randomUUID(), raw = false, update = false, metadata } = options;
    const present = (shown: unknown, isUpdate: boolean): void =>
      this.present(raw ? rawBundle(shown, metadata) : bundleOf(shown), id, isUpdate);
    present(value, update);
    return new DisplayHandle(id, (next) => present(next, true));
  };

  /** At once where the bundle is there; else in turn, so that an update never overtakes what it updates. */
  private present(bundle: DisplayContent | Promise<DisplayContent>, id: string, update: boolean): void {
    const run = this.cells.current;
    if (!(bundle instanceof Promise) && !run?.pending) return this.show(bundle.data, id, update, bundle.metadata);
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
      const { data, metadata } = await bundle;
      this.show(data, id, update, metadata);
    } catch (error) {
      this.show({ "text/plain": errorContent(error).traceback.join("\n") }, id, update);
    }
  }

  private readonly clearOutput = (options: { wait?: boolean } = {}): void => {
    this.post({ kind: "clear", run: this.cells.current?.cell.run ?? 0, wait: options.wait ?? false });
  };

  private readonly input = async (prompt = "", options: { password?: boolean } = {}): Promise<string> => {
    const id = this.ask("input", prompt, options.password ?? false);
    return new Promise((resolve) => this.answers.set(id, resolve));
  };

  /** As in a browser, it returns the answer itself: the thread waits for it. */
  private readonly prompt = (text = "", fallback = ""): string => {
    return this.waitForAnswer(this.ask("prompt", String(text), false)) || fallback;
  };

  private ask(by: string, prompt: string, password: boolean): number {
    const run = this.cells.current;
    if (run?.cell.allowStdin !== true)
      throw new Error(`[${by}] this front end asks nobody. Run the cell where somebody can answer.`);
    const id = ++this.inputs;
    this.post({ kind: "input", run: run.cell.run, id, prompt, password });
    return id;
  }
}
