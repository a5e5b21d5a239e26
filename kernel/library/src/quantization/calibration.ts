import { setImmediate } from "node:timers/promises";
import { OptionError } from "../errors.js";
import { readTokens, isTokenSource, type TokenSource } from "../data/tokens.js";
import type { Block, Pass } from "../models/decoder.js";
import { encoderOf } from "../models/encoder.js";
import type { LanguageModel } from "../models/model.js";
import type { Linear, LinearAdapter } from "../nn/linear.js";
import { checkOptions, custom, integer } from "../options.js";
import { gram } from "../tensor/linalg.js";
import type { JobOptions } from "../tensor/jobs.js";
import { keep, scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** What to calibrate with, and how much of it. */
export interface CalibrationOptions {
  readonly text: TokenSource;
  /** How many sequences are read at most. Default 32. */
  readonly sequences?: number;
  /** Tokens of a sequence. Default: the model's positions, at most 512. */
  readonly length?: number;
}
/** Text, token ids, or these with how much of them to read. */
export type Calibration = TokenSource | CalibrationOptions;

const SEQUENCES = 32;
const LENGTH = 512;
/** Sequences are stacked up to here: enough rows for the matrix products, few enough for a quick stop. */
const TOKENS_AT_ONCE = 2048;

interface Batch {
  readonly tokens: Int32Array;
  readonly batch: number;
}
/** Sequences of ids, stacked. */
export interface Sequences {
  readonly batches: readonly Batch[];
  readonly tokens: number;
}

/** True for what `readCalibration` takes. */
export function isCalibration(value: unknown): boolean {
  return isTokenSource(value) || (typeof value === "object" && value !== null && "text" in value);
}

/** @throws {OptionError} where there is no token, or an option that is not known */
export function readCalibration(model: LanguageModel, calibration: Calibration): Sequences {
  const { maxPositions } = model.config;
  const given = isTokenSource(calibration) ? { text: calibration } : (calibration as CalibrationOptions);
  const { text, sequences, length } = checkOptions("quantize", given, {
    text: custom<TokenSource>("a text, an iterable of texts, or an Int32Array of token ids", isTokenSource),
    sequences: integer({ from: 1, fallback: SEQUENCES }),
    length: integer({ from: 1, to: maxPositions, fallback: Math.min(LENGTH, maxPositions) }),
  });
  const most = sequences * length;
  const ids = text === undefined ? new Int32Array(0) : readTokens(text, encoderOf(model), most).subarray(0, most);
  if (ids.length === 0)
    throw new OptionError("quantize", "calibration has no tokens. Give some text, or leave it out.");
  const wrong = ids.find((id) => id < 0 || id >= model.config.vocabSize);
  if (wrong !== undefined)
    throw new OptionError(
      "quantize",
      `A calibration token is ${wrong}. Allowed: 0 to ${model.config.vocabSize - 1}, the vocabulary of "${model.name}".`,
    );
  return { batches: [...stacked(ids, length)], tokens: ids.length };
}

/** Whole sequences a few at a time, then what is left. */
function* stacked(ids: Int32Array, length: number): Generator<Batch> {
  const whole = Math.floor(ids.length / length);
  const atOnce = Math.max(1, Math.floor(TOKENS_AT_ONCE / length));
  for (let done = 0; done < whole; done += atOnce) {
    const batch = Math.min(atOnce, whole - done);
    yield { tokens: ids.subarray(done * length, (done + batch) * length), batch };
  }
  if (whole * length < ids.length) yield { tokens: ids.subarray(whole * length), batch: 1 };
}

/** What flows into a layer, over all calibration tokens. */
export interface LayerInputs {
  /** H = XᵀX [in, in] f32 */
  readonly gram: Tensor;
  /** What long native operations take: the signal that stops them. */
  readonly job: JobOptions;
  /**
   * What `make` made under this key, once for all layers that read the same input (q, k and v; gate and up). Tensors among the
   * result's properties are disposed of with the Gram matrix.
   */
  readonly share: <T extends object>(key: string, make: () => Promise<T>) => Promise<T>;
}

/** Sees a layer's input [n, in]; the tensor lives as long as the call. */
export type Watch = (x: Tensor) => void;

/**
 * The calibration tokens on their way through the model: what flows into the block at hand, batch by batch. It holds one block's inputs,
 * never more.
 */
export class BlockInputs {
  private readonly passes: readonly Pass[];
  private xs: Tensor[];

  constructor(
    model: LanguageModel,
    { batches }: Sequences,
    private readonly throwIfStopped: () => void,
    private readonly job: JobOptions = {},
  ) {
    this.passes = batches.map(({ tokens, batch }) => passOf(batch, tokens.length / batch));
    this.xs = batches.map(({ tokens }) =>
      scope(() => keep(model.network.embed.forward(Tensor.from(tokens, [tokens.length], { owner: "calibration" })))),
    );
  }

  /** The first batch and where its rows stand: the sample of methods that try things out. */
  get first(): { readonly x: Tensor; readonly pass: Pass } {
    return { x: this.xs[0]!, pass: this.passes[0]! };
  }

  /** Runs the block on every batch (or the first one alone) with watchers in place, and gives its outputs where they are wanted. */
  async run(
    block: Block,
    watchers: ReadonlyMap<Linear, Watch>,
    { outputs = false, firstOnly = false } = {},
  ): Promise<Tensor[]> {
    const made: Tensor[] = [];
    const restore = watch(watchers);
    try {
      for (const [index, x] of this.xs.entries()) {
        const y = scope(() => {
          const output = block.forward(x, this.passes[index]!);
          return outputs ? keep(output) : null;
        });
        if (y !== null) made.push(y);
        await setImmediate();
        this.throwIfStopped();
        if (firstOnly) break;
      }
      return made;
    } catch (error) {
      for (const y of made) y.dispose();
      throw error;
    } finally {
      restore();
    }
  }

  /** H of each layer; layers that read the same tensor share one. The caller disposes. */
  async grams(block: Block, layers: readonly Linear[], { outputs = false, firstOnly = false } = {}) {
    const grams = new Map<Linear, InputGram>();
    const seen = new Map<Tensor, InputGram>();
    const see = (linear: Linear) => (x: Tensor) => {
      const known = seen.get(x);
      const gram = grams.get(linear) ?? known ?? new InputGram(x.shape[1]!, this.job);
      grams.set(linear, gram);
      if (known !== undefined) return;
      seen.set(x, gram);
      gram.add(x);
    };
    const watchers = new Map(layers.map((linear) => [linear, see(linear)]));
    try {
      return { grams, outputs: await this.run(block, watchers, { outputs, firstOnly }) };
    } catch (error) {
      for (const { gram } of grams.values()) gram.dispose();
      throw error;
    }
  }

  /** Puts the block's outputs in the place of its inputs. */
  advance(outputs: Tensor[]): void {
    this.dispose();
    this.xs = outputs;
  }

  dispose(): void {
    for (const x of this.xs) x.dispose();
  }
}

/** H = XᵀX [in, in] of one layer's inputs, and what methods make of it. */
export class InputGram implements LayerInputs {
  readonly gram: Tensor;
  tokens = 0;
  private readonly made = new Map<string, Promise<object>>();

  constructor(
    width: number,
    readonly job: JobOptions,
  ) {
    this.gram = keep(Tensor.zeros([width, width], { category: "workspace", owner: "calibration" }));
  }

  /** @param x [n, in] */
  add(x: Tensor): void {
    gram(x, this.gram);
    this.tokens += x.shape[0]!;
  }

  share = <T extends object>(key: string, make: () => Promise<T>): Promise<T> => {
    let value = this.made.get(key) as Promise<T> | undefined;
    if (value === undefined) this.made.set(key, (value = make().then((made) => keep(made))));
    return value;
  };

  async dispose(): Promise<void> {
    this.gram.dispose();
    for (const value of this.made.values()) {
      const parts = await value.then(Object.values, () => []);
      for (const part of parts) if (part instanceof Tensor) part.dispose();
    }
    this.made.clear();
  }
}

function passOf(batch: number, length: number): Pass {
  return { batch, length, offset: 0, cache: null, tap: null };
}

function watch(watchers: ReadonlyMap<Linear, Watch>): () => void {
  const before = [...watchers.keys()].map((linear) => [linear, linear.adapter] as const);
  for (const [linear, see] of watchers) linear.adapter = new Watcher(see, linear.adapter);
  return () => {
    for (const [linear, adapter] of before) linear.adapter = adapter;
  };
}

/** Sits where an adapter would, sees the layer's input, and adds nothing. */
class Watcher implements LinearAdapter {
  readonly description = "calibration";

  constructor(
    private readonly see: Watch,
    private readonly inner: LinearAdapter | null,
  ) {}

  apply(x: Tensor, y: Tensor): Tensor {
    scope(() => this.see(x));
    return this.inner === null ? y : this.inner.apply(x, y);
  }
  *namedTensors(): Generator<[string, Tensor]> {
    if (this.inner !== null) yield* this.inner.namedTensors();
  }
  share(): Watcher {
    return this;
  }
  dispose(): void {
    this.inner?.dispose();
  }
}
