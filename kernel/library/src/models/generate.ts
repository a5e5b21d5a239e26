import type { ModelView } from "./view.js";
import { OptionError, throwIfAborted } from "../errors.js";
import { display, escapeHtml, inspect, type MimeBundle } from "../display.js";
import { checkOptions, choice, custom, integer, real, signal } from "../options.js";
import { Random } from "../random.js";
import { KvCache } from "../nn/kv-cache.js";
import { sliceRows } from "../tensor/kernels.js";
import { linear } from "../tensor/ops.js";
import { PackedWeight } from "../quantization/packed-weight.js";
import { noGrad, scope, withInt8Activations } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

export interface GenerateOptions {
  /** At most so many new tokens; default 64. */
  readonly maxTokens?: number;
  /** Divides the logits before sampling; above 0. */
  readonly temperature?: number;
  /** Sample among the k likeliest tokens. */
  readonly topK?: number;
  /** Sample among the likeliest tokens whose probabilities reach p. */
  readonly topP?: number;
  /** Same seed, same text. */
  readonly seed?: number;
  /** Ends the text before the first of these strings. */
  readonly stop?: string | readonly string[];
  /**
   * "int8": new tokens' products with packed weights round activations to eight bits, a scale for each 32 numbers, and tables of levels
   * to as many: sums of integers, several times faster, not exact. The prompt is read in floats. Default "float".
   */
  readonly activations?: "float" | "int8";
  readonly signal?: AbortSignal;
}

/** What came out, and how it was drawn. Shows itself as the text. */
export class Generation {
  constructor(
    readonly prompt: string,
    /** The new text alone. */
    readonly text: string,
    /** The new tokens, without the end-of-sequence token. */
    readonly tokens: readonly number[],
    /** "end": the model ended it; "stop": a stop string; "length": maxTokens; "context": the model's positions were used up */
    readonly finish: "end" | "stop" | "length" | "context",
    /** "greedy", or the temperature and seed that were used, and how activations were rounded. */
    readonly sampling: string,
  ) {}

  toString(): string {
    return this.prompt + this.text;
  }
  [display](): MimeBundle {
    const note = `${this.tokens.length} tokens, ${this.sampling}, finished by ${this.finish}`;
    return {
      "text/plain": `${this.toString()}\n(${note})`,
      "text/html":
        `<div style="white-space:pre-wrap;color:var(--jp-content-font-color1,inherit)"><span style="opacity:0.65">${escapeHtml(this.prompt)}</span>${escapeHtml(this.text)}</div>` +
        `<div style="color:var(--jp-content-font-color2,inherit);font-size:smaller">${escapeHtml(note)}</div>`,
    };
  }
  [inspect](): string {
    return this.toString();
  }
}

const strings = custom<string | readonly string[]>("a non-empty string or an array of them", (value) =>
  (Array.isArray(value) ? value : [value]).every((entry) => typeof entry === "string" && entry !== ""),
);

/** See `LanguageModel.generate`. */
export async function generate(
  model: ModelView,
  prompt: string | readonly number[],
  given: GenerateOptions,
): Promise<Generation> {
  const options = checkOptions("generate", given, {
    maxTokens: integer({ from: 1, fallback: 64 }),
    temperature: real({ from: 1e-6 }),
    topK: integer({ from: 1 }),
    topP: real({ from: 1e-6, to: 1 }),
    seed: integer(),
    stop: strings,
    activations: choice(["float", "int8"], { fallback: "float" }),
    signal: signal(),
  });
  const ids = promptIds(model, prompt);
  const int8 = options.activations === "int8";
  if (int8) checkPacked(model);
  const capacity = Math.min(ids.length + options.maxTokens, model.config.maxPositions);
  const chooser = chooserOf(options);
  const stops = options.stop === undefined ? [] : [options.stop].flat();
  const { layers, kvHeads, headDim, eosTokens } = model.config;
  const cache = new KvCache(layers, 1, capacity, kvHeads * headDim, model.network.embed.weight.device);
  const tokens: number[] = [];
  let finish: Generation["finish"] | null = null;
  try {
    let fresh: readonly number[] = ids;
    while (finish === null) {
      throwIfAborted("generate", options.signal);
      const offset = ids.length + tokens.length - fresh.length;
      const logits = () => nextLogits(model, fresh, offset, cache);
      const next = chooser.choose(int8 && offset > 0 ? withInt8Activations(logits) : logits());
      if (eosTokens.includes(next)) finish = "end";
      else {
        tokens.push(next);
        fresh = [next];
        finish = ending(model, tokens, stops, options.maxTokens, capacity - ids.length);
      }
      // Lets timers, messages and the abort signal in between tokens.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    cache.dispose();
  }
  const sampling = chooser.description + (int8 ? ", int8 activations" : "");
  const text = model.hasTokenizer ? continuation(model, ids, tokens) : tokens.join(" ");
  const shownPrompt = typeof prompt === "string" ? prompt : model.hasTokenizer ? model.tokenizer.decode(prompt) : "";
  return new Generation(shownPrompt, beforeStop(text, stops), tokens, finish, sampling);
}

/** What rounds activations to eight bits are products with packed weights. */
function checkPacked(model: ModelView): void {
  if ([...model.network.linears()].some(([, { weight }]) => weight instanceof PackedWeight)) return;
  throw new OptionError(
    "generate",
    `activations is "int8", but "${model.name}" has no packed weights. Allowed: a quantized model. Quantize it, or leave activations out.`,
  );
}

function promptIds(model: ModelView, prompt: string | readonly number[]): readonly number[] {
  const ids = typeof prompt === "string" ? model.tokenizer.encode(prompt) : prompt;
  const { length } = model.sequences("generate", ids).tokens;
  if (length < model.config.maxPositions) return ids;
  throw new OptionError(
    "generate",
    `The prompt has ${length} tokens. Allowed: fewer than ${model.config.maxPositions}, the positions of "${model.name}".`,
  );
}

/** Logits [vocab] of the token after `fresh`, whose first stands at `offset`. */
function nextLogits(model: ModelView, fresh: readonly number[], offset: number, cache: KvCache): Float32Array {
  return noGrad(() =>
    scope(() => {
      const ids = Tensor.from(Int32Array.from(fresh), [fresh.length], { owner: "tokens" });
      const hidden = model.network.forward(ids, { batch: 1, length: fresh.length, offset, cache, tap: null });
      const last = sliceRows(hidden, fresh.length - 1, fresh.length);
      return linear(last, model.network.outputWeight(), {
        precision: model.network.precision,
      }).arraySync() as Float32Array;
    }),
  );
}

function ending(
  model: ModelView,
  tokens: readonly number[],
  stops: readonly string[],
  maxTokens: number,
  room: number,
) {
  if (stops.length > 0 && stops.some((stop) => model.tokenizer.decode(tokens).includes(stop))) return "stop";
  if (tokens.length >= maxTokens) return "length";
  return tokens.length >= room ? "context" : null;
}

/** The new text, decoded together with the prompt: many tokenizers drop a leading space. */
function continuation(model: ModelView, ids: readonly number[], tokens: readonly number[]): string {
  const before = model.tokenizer.decode(ids);
  const whole = model.tokenizer.decode([...ids, ...tokens]);
  return whole.startsWith(before) ? whole.slice(before.length) : model.tokenizer.decode(tokens);
}

function beforeStop(text: string, stops: readonly string[]): string {
  const cuts = stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0);
  return cuts.length === 0 ? text : text.slice(0, Math.min(...cuts));
}

interface Chooser {
  readonly description: string;
  choose(logits: Float32Array): number;
}
type Sampling = Pick<GenerateOptions, "temperature" | "topK" | "topP" | "seed">;

function chooserOf(options: { readonly [K in keyof Sampling]: Sampling[K] | undefined }): Chooser {
  const { temperature = 1, topK = Infinity, topP = 1, seed = Math.floor(Math.random() * 2 ** 31) } = options;
  const given = [options.temperature, options.topK, options.topP, options.seed];
  if (given.every((value) => value === undefined)) return { description: "greedy", choose: argmax };
  const random = new Random(seed);
  const limits = `${topK === Infinity ? "" : `, top ${topK}`}${topP === 1 ? "" : `, top p ${topP}`}`;
  return {
    description: `temperature ${temperature}${limits}, seed ${seed}`,
    choose: (logits) => sample(logits, temperature, topK, topP, random.uniform()),
  };
}

/** The first of the largest. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
}

/**
 * The token whose slice of the cumulated probabilities holds `uniform`; likeliest first where topK or topP cut some off,
 * otherwise in the vocabulary's order, which needs no sorting.
 */
export function sample(
  logits: ArrayLike<number>,
  temperature: number,
  topK: number,
  topP: number,
  uniform: number,
): number {
  const order = Array.from(logits, (_, index) => index);
  if (topK < order.length || topP < 1) order.sort((a, b) => logits[b]! - logits[a]! || a - b);
  const largest = logits[argmax(logits)]!;
  const weights = order.slice(0, topK).map((index) => Math.exp((logits[index]! - largest) / temperature));
  const all = weights.reduce((a, b) => a + b, 0);
  let kept = 0;
  let mass = 0;
  while (kept < weights.length && (kept === 0 || mass < topP * all)) mass += weights[kept++]!;
  let left = uniform * mass;
  for (let index = 0; index < kept; index++) {
    left -= weights[index]!;
    if (left < 0) return order[index]!;
  }
  return order[kept - 1]!;
}
