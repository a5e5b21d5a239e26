import { Script } from "node:vm";
import type { Content, DisplayContent } from "../jupyter/protocol.js";
import { bundleOf, DisplayHandle } from "./display.js";
import { cellFile, errorContent, InterruptedError, rememberCell, rememberWaiter } from "./errors.js";
import type { Interruptible } from "./interruptible.js";
import type { CellRun, CompiledCell, FromMain, RunOutcome } from "./messages.js";
import { cellMeta, type Modules, type Namespace } from "./modules.js";
import { cellRequire } from "./require.js";

/** A cell that was interrupted and goes on nevertheless is left behind after this. */
const GRACE_MS = 20;

type CellFunction = (...given: unknown[]) => unknown;

/** A cell between its start and its reply. */
export class Run {
  readonly abort = new AbortController();
  /** Displays that are still being made: the reply waits for them, and later ones queue behind. */
  pending: Promise<void> | null = null;
  private readonly waiting = new Set<(error: Error) => void>();
  settled = false;

  constructor(readonly cell: CellRun) {}

  /** Waits for a value; an interrupt ends the wait. */
  readonly guard = (value: unknown): unknown => {
    if (!isThenable(value)) return value;
    const waiter: { stack?: string } = {};
    Error.captureStackTrace(waiter, this.guard); // V8 forgets who waits at a promise that is not its own
    return new Promise((resolve, reject) => {
      this.waiting.add(reject);
      value.then(
        (result) => {
          this.waiting.delete(reject);
          resolve(result);
        },
        (error: unknown) => {
          this.waiting.delete(reject);
          rememberWaiter(error, waiter);
          reject(error as Error);
        },
      );
    });
  };

  /** Goes through an iterable; an interrupt ends the wait for the next value. */
  readonly guardEach = async function* (
    this: Run,
    values: AsyncIterable<unknown> | Iterable<unknown>,
  ): AsyncGenerator<unknown> {
    const isAsync = Symbol.asyncIterator in values;
    const iterator = isAsync ? values[Symbol.asyncIterator]() : (values as Iterable<unknown>)[Symbol.iterator]();
    let finished = false;
    try {
      for (;;) {
        const step = (await this.guard(iterator.next())) as IteratorResult<unknown>;
        if ((finished = step.done === true)) return;
        yield isAsync ? step.value : await this.guard(step.value);
      }
    } catch (error) {
      finished = true;
      // It may be busy for long: nobody waits for it to end.
      if (error instanceof InterruptedError) Promise.resolve(iterator.return?.()).catch(() => undefined);
      throw error;
    } finally {
      if (!finished) await iterator.return?.();
    }
  }.bind(this);

  interrupt(): void {
    const error = new InterruptedError();
    this.abort.abort(error);
    for (const reject of this.waiting) reject(error);
    this.waiting.clear();
  }
}

/** Runs cells on one namespace object. More than one may be under way: each waits for itself. */
export class Cells {
  /** Every top-level name of every cell. V8 keeps an object slow whose own prototype is null; an empty one does as well. */
  readonly names = Object.create(Object.freeze(Object.create(null))) as Namespace;
  /** Whose output is being written: the cell that started last. */
  current: Run | null = null;
  private readonly active = new Set<Run>();
  private readonly owners = new WeakMap<object, Run>();

  constructor(
    private readonly modules: Modules,
    private readonly interruptible: Interruptible,
    private readonly post: (message: FromMain) => void,
  ) {}

  start(cell: CellRun): void {
    const run = new Run(cell);
    this.current = run;
    this.active.add(run);
    this.evaluate(run).then(
      (outcome) => this.finish(run, outcome),
      (error: unknown) => this.finish(run, { status: "error", ...errorContent(error) }),
    );
  }

  /** Runs something that belongs to this cell, whichever started last. */
  within(run: Run, act: () => unknown): unknown {
    const before = this.current;
    this.current = run;
    try {
      return act();
    } catch (error) {
      if (typeof error === "object" && error !== null) this.owners.set(error, run);
      throw error;
    } finally {
      this.current = before;
    }
  }

  /** Whose timer threw this, if it was one's. */
  ownerOf(error: unknown): Run | null {
    return (typeof error === "object" && error !== null ? this.owners.get(error) : undefined) ?? this.current;
  }

  interrupt(): void {
    this.interruptible.restore();
    for (const run of this.active) {
      run.interrupt();
      setTimeout(() => this.finish(run, { status: "error", ...errorContent(new InterruptedError()) }), GRACE_MS);
    }
  }

  private async evaluate(run: Run): Promise<RunOutcome> {
    const { cell } = run;
    const { value } = await this.execute(run, cell.compiled, cellFile(cell), cell.source);
    const isSilent = cell.silent || value === undefined || value instanceof DisplayHandle;
    const result = isSilent ? null : ((await run.guard(bundleOf(value))) as DisplayContent);
    const expressions: Record<string, unknown> = {};
    for (const [name, compiled] of Object.entries(cell.expressions)) {
      expressions[name] = await this.expression(run, name, compiled);
    }
    while (run.pending !== null) await run.guard(run.pending);
    return { status: "ok", result, expressions };
  }

  private async expression(run: Run, name: string, compiled: CompiledCell): Promise<Content> {
    try {
      const { value } = await this.execute(run, compiled, `Expression[${name}]`, "");
      const bundle = await bundleOf(value);
      return { status: "ok", data: bundle.data, metadata: bundle.metadata };
    } catch (error) {
      return { status: "error", ...errorContent(error) };
    }
  }

  /** The value comes wrapped: a cell that ends in a promise shows the promise. */
  private async execute(run: Run, compiled: CompiledCell, file: string, source: string): Promise<{ value: unknown }> {
    rememberCell(file, { source, compiled });
    const body = new Script(compiled.code, { filename: file }).runInThisContext() as CellFunction;
    for (const wanted of compiled.imports) await run.guard(this.modules.bind(this.names, wanted));
    const meta = cellMeta();
    const given = [
      this.names,
      this.modules.load,
      meta,
      run.guard,
      run.guardEach,
      cellRequire(),
      meta.filename,
      meta.dirname,
    ];
    const value = this.interruptible.run(() => body(...given));
    return { value: compiled.isAsync ? await run.guard(value) : value };
  }

  private finish(run: Run, outcome: RunOutcome): void {
    if (run.settled) return;
    run.settled = true;
    this.active.delete(run);
    const latest = [...this.active].at(-1);
    if (latest !== undefined) this.current = latest;
    this.post({ kind: "done", run: run.cell.run, outcome });
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    "then" in value &&
    typeof value.then === "function"
  );
}
