import { InterruptedError } from "../errors.js";
import { native } from "./native.js";
import { keep } from "./scope.js";
import type { Tensor } from "./tensor.js";

/** What long operations take: they compute beside JavaScript, which may watch and stop them. */
export interface JobOptions {
  /** Ends the operation with InterruptedError; nothing is left of it. */
  readonly signal?: AbortSignal;
  /** Called every 50 ms or so with the parts that are done and those known so far. What it throws ends the operation. */
  readonly progress?: (done: number, total: number) => void;
}

const WATCH_MS = 50;
let jobs = 0;

/**
 * Runs a native job that reads `inputs`, which live until it ends even if their owner disposes of them.
 *
 * @param start begins the job of this number
 * @throws {InterruptedError} by the signal or the stop button
 */
export async function runJob<R>(
  op: string,
  inputs: readonly Tensor[],
  { signal, progress }: JobOptions,
  start: (id: number) => Promise<R>,
): Promise<R> {
  if (signal?.aborted) throw new InterruptedError(op, "Stopped by its AbortSignal.", {}, signal.reason);
  const id = ++jobs;
  const stop = () => native.jobStop(id);
  const held = keep(inputs.map((input) => input.alias()));
  let failure: { readonly error: unknown } | null = null;
  const watch = () => {
    const now = native.jobProgress(id);
    if (now === null || failure !== null) return;
    try {
      progress?.(now.done, now.total);
    } catch (error) {
      failure = { error };
      stop();
    }
  };
  const timer = progress === undefined ? null : setInterval(watch, WATCH_MS);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await start(id);
  } catch (error) {
    throw (failure as { readonly error: unknown } | null)?.error ?? error;
  } finally {
    if (timer !== null) clearInterval(timer);
    signal?.removeEventListener("abort", stop);
    for (const tensor of held) tensor.dispose();
  }
}
