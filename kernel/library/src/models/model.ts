import { createHash } from "node:crypto";
import { modelCard } from "./card.js";
import type { ModelConfig } from "./config.js";
import type { Decoder, Pass } from "./decoder.js";
import { generate, type Generation, type GenerateOptions } from "./generate.js";
import { expandHooks, tapOf, type Hook, type Hooks } from "./hooks.js";
import type { Tokenizer } from "./tokenizer.js";
import type { ModelView } from "./view.js";
import { DisposedError, OptionError, ShapeError, UnsupportedError } from "../errors.js";
import { display, inspect, type MimeBundle } from "../display.js";
import { checkOptions, choice, custom, flag, shown, text } from "../options.js";
import type { Linear } from "../nn/linear.js";
import { Sharing } from "../nn/module.js";
import { weightedCrossEntropy } from "../nn/weighted-loss.js";
import type { QuantizationReport } from "../quantization/report.js";
import { linear, linearCrossEntropy, reshape } from "../tensor/ops.js";
import { precisions, type Precision } from "../tensor/dtype.js";
import { deviceNamed } from "../tensor/device.js";
import { keep, noGrad, register, scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import type { InitializationReport } from "../tuners/initializers/report.js";
import type { Adapter } from "../tuners/adapters/adapter.js";
import type { Tuning } from "../tuners/tuner.js";

/** A text, the ids of one sequence, or those of several of the same length. */
export type TokenInput = string | readonly number[] | Int32Array | readonly (readonly number[])[];

export interface Batch {
  /** [batch · length] ids, sequence after sequence */
  readonly tokens: Int32Array;
  /** The token that follows each; `IGNORED` where it does not count */
  readonly targets: Int32Array;
  /** How much each target counts, at least 0; default: all alike. */
  readonly weights?: Float32Array | null;
  /** How many sequences. */
  readonly batch: number;
}
/** The target that no loss counts. */
export const IGNORED = -100;

interface Parts {
  readonly name: string;
  /** What was done to the weights: "full precision", "rtn, 2 bits per channel", … */
  readonly label?: string;
  readonly network: Decoder;
  readonly tokenizer: Tokenizer | null;
  /** Default: the network's. */
  readonly precision?: Precision | undefined;
}

/**
 * A decoder with its tokenizer. Its tensors belong to it; `dispose` frees them (the finalizer does so too, later).
 *
 * @example
 * const model = await loadModel("pocket"); model;   // shows its card
 */
export class LanguageModel implements ModelView {
  readonly name: string;
  label: string;
  readonly network: Decoder;
  /** What `quantize` did, layer by layer; null where nothing is quantized. */
  quantization: QuantizationReport | null = null;
  /** What `tune` made trainable; null before. */
  tuning: Tuning | null = null;
  /** Where `initialize` started the adapters; null where `tune` did. */
  initialization: InitializationReport | null = null;
  /** What tuners added or files held, by name; one of them may be on the layers. */
  readonly adapters = new Map<string, Adapter>();
  /** The name of the adapter that is on; null where none is. */
  adapterName: string | null = null;
  private readonly ownTokenizer: Tokenizer | null;
  private gone = false;

  constructor({ name, label = "full precision", network, tokenizer, precision = network.precision }: Parts) {
    this.name = name;
    this.label = label;
    this.network = network;
    network.precision = precision;
    this.ownTokenizer = tokenizer;
  }

  get config(): ModelConfig {
    return this.network.config;
  }
  /** @throws {UnsupportedError} for a model that was made without one */
  get tokenizer(): Tokenizer {
    if (this.ownTokenizer !== null) return this.ownTokenizer;
    throw new UnsupportedError(
      "tokenizer",
      `The model "${this.name}" has no tokenizer. Give token ids instead of text, or a tokenizer to createModel.`,
    );
  }
  /** What matrix products round their operands to, forward and backward; sums and everything else are f32. */
  get precision(): Precision {
    return this.network.precision;
  }
  /** Where its numbers are, and all that is computed with them. */
  get device(): string {
    return this.network.embed.weight.device;
  }
  get hasTokenizer(): boolean {
    return this.ownTokenizer !== null;
  }

  namedTensors(): Generator<[string, Tensor]> {
    return this.network.namedTensors();
  }
  namedParameters(): Generator<[string, Tensor]> {
    return this.network.namedParameters();
  }
  trainableParameters(): Map<string, Tensor> {
    return this.network.trainableParameters();
  }
  /** The linear layers of the blocks by dotted name (not the output layer). */
  linears(): Generator<[string, Linear]> {
    return this.network.linears();
  }

  /**
   * A model over the same bytes with its own life: disposing of one, replacing a layer's weight in one, or training one leaves the other as it is.
   * On another device it has copies, bit for bit: weights, codes, adapters.
   *
   * @throws {OptionError} · {UnsupportedError} for a device that is not there · {OutOfMemoryError}
   * @example
   * const fast = model.fork({ precision: "bf16" });   // the same weights, products in bf16
   * const far = small.fork({ device: "gpu" });   // the same codes on a GPU
   */
  fork(
    changes: {
      readonly name?: string;
      readonly label?: string;
      readonly precision?: Precision;
      readonly device?: string;
    } = {},
  ): LanguageModel {
    this.check("fork");
    const rules = { name: text(), label: text(), precision: choice(precisions), device: text() };
    const { precision, device } = checkOptions("fork", changes, rules);
    const shared = new Sharing(device === undefined ? this.device : deviceNamed("fork", device));
    const network = scope(() => keep(this.network.share(shared)));
    const fork = new LanguageModel({
      name: changes.name ?? this.name,
      label: changes.label ?? this.label,
      network,
      tokenizer: this.ownTokenizer,
      precision,
    });
    fork.quantization = this.quantization;
    fork.tuning = this.tuning;
    fork.initialization = this.initialization;
    fork.adapterName = this.adapterName;
    for (const [name, adapter] of this.adapters) {
      fork.adapters.set(name, name === this.adapterName ? adapter.over(fork.linears()) : keep(adapter.share(shared)));
    }
    return fork;
  }

  /**
   * The mean cross-entropy of a batch, weighted where the batch has weights, differentiable → [1]. Logits never exist whole.
   *
   * @param options.gradientCheckpointing keep only what goes from block to block, and compute a block again for its gradient; default false
   * @throws {ShapeError} if the lengths do not fit · {OptionError} for ids outside the vocabulary
   */
  loss(
    { tokens, targets, weights = null, batch }: Batch,
    options: { readonly gradientCheckpointing?: boolean } = {},
  ): Tensor {
    const { gradientCheckpointing: recompute } = checkOptions("loss", options, {
      gradientCheckpointing: flag({ fallback: false }),
    });
    if (tokens.length !== targets.length || tokens.length === 0 || tokens.length % batch !== 0) {
      throw new ShapeError(
        "loss",
        `${tokens.length} tokens, ${targets.length} targets, ${batch} sequences. The first two must be equal and divisible by the third.`,
      );
    }
    if (weights !== null && weights.length !== targets.length) {
      throw new ShapeError(
        "loss",
        `${weights.length} weights came with ${targets.length} targets. Give one for each, or none.`,
      );
    }
    return scope(() => {
      const x = this.hidden(tokens, batch, null, "loss", recompute);
      const head = this.network.outputWeight();
      const options = { ignoreIndex: IGNORED, precision: this.precision };
      if (weights !== null) return weightedCrossEntropy(x, head, targets, weights, options);
      return linearCrossEntropy(x, head, Tensor.from(targets, [targets.length], { owner: "targets" }), options);
    });
  }

  /** The normalized residual stream [batch·length, hidden] of sequences; the caller disposes. */
  hidden(tokens: Int32Array, batch: number, hooks: Hooks | null = null, op = "hidden", recompute = false): Tensor {
    this.check(op);
    const length = tokens.length / batch;
    this.checkTokens(op, tokens, length);
    const tap = tapOf(op, hooks ?? undefined, this.config.layers);
    const pass: Pass = { batch, length, offset: 0, cache: null, tap, recompute };
    return scope(() => this.network.forward(Tensor.from(tokens, [tokens.length], { owner: "tokens" }), pass));
  }

  /**
   * Runs the model and gives its logits [batch, length, vocab] f32; the caller disposes. Differentiable.
   *
   * @param options.hooks called at hook points, see `Hook`; `{i}` in a name stands for every layer
   * @example
   * const logits = model.run("Once upon", { hooks: { "blocks.0.hook_resid_post": (x) => console.log(x.shape) } });
   */
  run(input: TokenInput, options: { hooks?: Hooks } = {}): Tensor {
    const { hooks } = checkOptions("run", options, {
      hooks: custom<Hooks>(
        "an object from hook names to functions",
        (value) => typeof value === "object" && value !== null,
      ),
    });
    const { tokens, batch } = this.sequences("run", input);
    return scope(() => {
      const last = this.hidden(tokens, batch, hooks ?? null, "run");
      const logits = linear(last, this.network.outputWeight(), { precision: this.precision });
      return reshape(logits, [batch, tokens.length / batch, this.config.vocabSize]);
    });
  }

  /** Like `run` without gradients, with the activations [batch, length, hidden] at the named hook points; the caller disposes of all. */
  runWithCache(input: TokenInput, names: string | readonly string[]): { logits: Tensor; cache: Map<string, Tensor> } {
    const { result, cache } = this.recorded("runWithCache", names, (hooks) => this.run(input, { hooks }));
    return { logits: result, cache };
  }

  /** The activations [batch, length, hidden] at the named hook points, without the output layer and without gradients; the caller disposes. */
  activations(input: TokenInput, names: string | readonly string[]): Map<string, Tensor> {
    const { tokens, batch } = this.sequences("activations", input);
    const run = (hooks: Hooks) => void this.hidden(tokens, batch, hooks, "activations");
    return this.recorded("activations", names, run).cache;
  }

  /**
   * Continues a prompt. Greedy, unless `seed`, `temperature`, `topK` or `topP` is given: then it samples (temperature 1, and a fresh seed,
   * which the result names, where those are left out).
   *
   * @throws {OptionError} · {InterruptedError}
   * @example
   * await model.generate("The old lighthouse", { maxTokens: 40, seed: 1 });
   */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Promise<Generation> {
    this.check("generate");
    return generate(this, prompt, options);
  }

  /**
   * SHA-256 over the codes and zero-points of all quantized layers, in hexadecimal: equal before and after a training that leaves them alone.
   *
   * @throws {UnsupportedError} where nothing is quantized
   */
  codesHash(): string {
    const hash = createHash("sha256");
    let layers = 0;
    for (const [name, { weight }] of this.linears()) {
      const codes = weight.codesHash?.();
      if (codes === undefined) continue;
      hash.update(`${name} ${codes}\n`);
      layers++;
    }
    if (layers > 0) return hash.digest("hex");
    throw new UnsupportedError("codesHash", `The model "${this.name}" has no codes. Quantize it first.`);
  }

  /** A text's or a list's ids, checked. */
  sequences(op: string, input: TokenInput): { tokens: Int32Array; batch: number } {
    if (typeof input === "string") return this.sequences(op, this.tokenizer.encode(input));
    if (!isList(input)) {
      throw new OptionError(
        op,
        `The input is ${shown(input)}. Allowed: a text, an array of token ids, or an array of such arrays.`,
      );
    }
    const rows = (isList(input[0]) ? input : [input]) as readonly ArrayLike<number>[];
    const length = rows[0]?.length ?? 0;
    if (rows.some((row) => !isList(row) || row.length !== length)) {
      const lengths = rows.map((row) => (isList(row) ? row.length : shown(row))).join(", ");
      throw new ShapeError(op, `The sequences have lengths ${lengths}. Allowed: one length for all.`);
    }
    const ids = rows.flatMap((row) => Array.from(row));
    const broken = ids.find((id) => !Number.isInteger(id));
    if (broken !== undefined) throw new OptionError(op, `A token id is ${shown(broken)}. Allowed: whole numbers.`);
    const tokens = Int32Array.from(ids);
    this.checkTokens(op, tokens, length);
    return { tokens, batch: rows.length };
  }

  dispose(): void {
    this.gone = true;
    this.network.dispose();
    for (const adapter of this.adapters.values()) adapter.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return modelCard(this)["text/plain"];
  }
  [display](): MimeBundle {
    return modelCard(this);
  }
  [inspect](): string {
    return this.toString();
  }

  /** Runs with hooks that note activations; these outlive the blocks' scopes and then belong to the caller's. */
  private recorded<T>(
    op: string,
    names: string | readonly string[],
    run: (hooks: Hooks) => T,
  ): { result: T; cache: Map<string, Tensor> } {
    const cache = new Map<string, Tensor>();
    const record: Hook = (activation, name) => void cache.set(name, keep(activation.alias()));
    const hooks = Object.fromEntries(expandHooks(op, names, this.config.layers).map((name) => [name, record]));
    return noGrad(() =>
      scope(() => {
        try {
          const result = run(hooks);
          for (const tensor of cache.values()) register(tensor);
          return { result, cache };
        } catch (error) {
          for (const tensor of cache.values()) tensor.dispose();
          throw error;
        }
      }),
    );
  }

  private checkTokens(op: string, tokens: Int32Array, length: number): void {
    if (length === 0) throw new OptionError(op, "There are no tokens. Give at least one.");
    if (length > this.config.maxPositions) {
      throw new OptionError(
        op,
        `A sequence has ${length} tokens. Allowed: up to ${this.config.maxPositions}, the positions of "${this.name}".`,
      );
    }
    const wrong = tokens.find((id) => id < 0 || id >= this.config.vocabSize);
    if (wrong === undefined) return;
    throw new OptionError(
      op,
      `A token id is ${wrong}. Allowed: 0 to ${this.config.vocabSize - 1}, the vocabulary of "${this.name}".`,
    );
  }

  private check(op: string): void {
    if (this.gone) throw new DisposedError(op, `The model "${this.name}" was disposed of. Load it again.`);
  }
}

function isList(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || value instanceof Int32Array;
}
