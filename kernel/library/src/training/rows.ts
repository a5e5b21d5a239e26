import { setImmediate } from "node:timers/promises";
import { readingTokens, type Encoder, type TokenSource, type TokenStream } from "../data/tokens.js";
import { InterruptedError, OptionError, throwIfAborted } from "../errors.js";
import { isInterrupted } from "../tensor/device.js";
import { Random } from "../random.js";

/** Inputs and what should follow them, both [batch · length]. */
export interface Rowset {
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
  /** Of the targets; null where all count alike. */
  readonly weights: Float32Array | null;
}

/**
 * A stream of tokens cut into rows of `length` + 1, neighbours sharing one token so that every token is a target once. The
 * rows are shuffled anew each epoch.
 *
 * @throws {OptionError} if there is less than one row
 */
export class Rows {
  private readonly random: Random;
  private readonly length: number;
  private order: number[] = [];

  constructor(
    private readonly tokens: Int32Array,
    { length, seed }: { readonly length: number; readonly seed: number },
    private readonly weights: Float32Array | null = null,
  ) {
    this.length = length;
    this.random = new Random(seed);
    if (this.count === 0) {
      throw new OptionError(
        "train",
        `data has ${tokens.length} tokens, a row needs length + 1 = ${length + 1}. Give more text or a smaller length.`,
        { tokens: tokens.length, length },
      );
    }
  }

  /** Different rows that the tokens give. */
  get count(): number {
    return Math.max(0, Math.floor((this.tokens.length - 1) / this.length));
  }

  next(batchSize: number): Rowset {
    const { length } = this;
    const inputs = new Int32Array(batchSize * length);
    const targets = new Int32Array(batchSize * length);
    const weights = this.weights === null ? null : new Float32Array(batchSize * length);
    for (let row = 0; row < batchSize; row++) {
      const start = this.draw() * length;
      inputs.set(this.tokens.subarray(start, start + length), row * length);
      targets.set(this.tokens.subarray(start + 1, start + 1 + length), row * length);
      weights?.set(this.weights!.subarray(start + 1, start + 1 + length), row * length);
    }
    return { inputs, targets, weights };
  }

  /** Leaves out so many rows, as if `next` had given them. */
  skip(rows: number): void {
    for (let row = 0; row < rows; row++) this.draw();
  }

  private draw(): number {
    if (this.order.length === 0) this.order = this.random.shuffle(Array.from({ length: this.count }, (_, i) => i));
    return this.order.pop()!;
  }
}

const BUSY_MS = 50; // how long reading may keep the event loop, and the stop button, waiting

/** The ids of a source, at most one document more than `enough`. Gives way to the event loop; the stop button and the signal end it. */
export async function readPolitely(
  source: TokenSource,
  encoder: Encoder,
  enough: number,
  { signal, progress }: { readonly signal: AbortSignal | undefined; readonly progress: (tokens: number) => void },
): Promise<TokenStream> {
  const reading = readingTokens(source, encoder, enough);
  let last = performance.now();
  for (;;) {
    const { done, value } = reading.next();
    if (done === true) return value;
    if (performance.now() - last < BUSY_MS) continue;
    progress(value);
    await setImmediate();
    throwIfAborted("train", signal);
    if (isInterrupted()) throw new InterruptedError("train", "Stopped while reading the data. The model is as it was.");
    last = performance.now();
  }
}
