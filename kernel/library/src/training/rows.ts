import { readTokens, type Encoder, type TokenSource } from "../data/tokens.js";
import { OptionError } from "../errors.js";
import { Random } from "../random.js";

/** Inputs and what should follow them, both [batch · length]. */
export interface Batch {
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
}

/**
 * Documents joined into one stream (each with its begin and end token) and cut into rows of `length` + 1, neighbours sharing
 * one token so that every token is a target once. The rows are shuffled anew each epoch. Reads only as many documents as
 * `rows` rows need.
 *
 * @throws {OptionError} if there is less than one row
 */
export class Rows {
  private readonly tokens: Int32Array;
  private readonly random: Random;
  private order: number[] = [];

  constructor(
    data: TokenSource,
    encoder: Encoder,
    private readonly options: { readonly length: number; readonly rows: number; readonly seed: number },
  ) {
    this.tokens = readTokens(data, encoder, options.length * options.rows + 1);
    this.random = new Random(options.seed);
    if (this.count === 0) {
      throw new OptionError(
        "train",
        `data has ${this.tokens.length} tokens, a row needs length + 1 = ${options.length + 1}. Give more text or a smaller length.`,
        { tokens: this.tokens.length, length: options.length },
      );
    }
  }

  /** Different rows that the data gives. */
  get count(): number {
    return Math.max(0, Math.floor((this.tokens.length - 1) / this.options.length));
  }

  next(batchSize: number): Batch {
    const { length } = this.options;
    const inputs = new Int32Array(batchSize * length);
    const targets = new Int32Array(batchSize * length);
    for (let row = 0; row < batchSize; row++) {
      if (this.order.length === 0) this.order = this.random.shuffle(Array.from({ length: this.count }, (_, i) => i));
      const start = this.order.pop()! * length;
      inputs.set(this.tokens.subarray(start, start + length), row * length);
      targets.set(this.tokens.subarray(start + 1, start + 1 + length), row * length);
    }
    return { inputs, targets };
  }
}
