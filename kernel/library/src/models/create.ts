import type { ModelConfig } from "./config.js";
import { Decoder, decoderShapes, type ParameterShape } from "./decoder.js";
import { LanguageModel } from "./model.js";
import type { Tokenizer } from "./tokenizer.js";
import { OptionError } from "../errors.js";
import { checkNames, checkOptions, choice, custom, integer, shown, text } from "../options.js";
import { Random } from "../random.js";
import { precisions, type Precision } from "../tensor/dtype.js";
import { deviceNamed } from "../tensor/device.js";
import { onDevice } from "../tensor/kernels.js";
import { keep } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** The fields without which there is no model; the rest has defaults. */
export type NewModelConfig = Pick<ModelConfig, "vocabSize" | "hiddenSize" | "intermediateSize" | "layers" | "heads"> &
  Partial<ModelConfig>;

const INITIAL_STD = 0.02; // GPT-2's and Llama's

export interface CreateOptions {
  readonly seed?: number;
  readonly name?: string;
  readonly tokenizer?: Tokenizer;
  /** Where it is made, as in `loadModel`; the numbers are the same everywhere. Default "auto". */
  readonly device?: string;
  /** "bf16" rounds the operands of matrix products. Default "f32". */
  readonly precision?: Precision;
  /** Standard deviation of the linears: a number, or "fanIn" for 1/√(columns). Default 0.02, the embedding's. */
  readonly linearStd?: number | "fanIn";
  /** So many key heads of each block start as copies of their query heads, so that a token attends to its equals. Default 0. */
  readonly tiedKeyHeads?: number;
}

/**
 * An untrained model: linears and embedding normal with standard deviation 0.02, those that write into the residual stream
 * divided by √(2·layers) (Radford et al. 2019), norms 1, biases 0. The same seed gives the same numbers.
 *
 * A tied start, W_k := W_q in some heads, only changes where training begins: both matrices are their own from the first step on.
 *
 * Defaults: kvHeads = heads, headDim = hiddenSize / heads, maxPositions 512, normEpsilon 1e-5, ropeTheta 10000, tied embeddings, no biases;
 * bosToken and eosTokens come from the tokenizer where there is one.
 *
 * @throws {OptionError} · {UnsupportedError} for a device that is not there
 * @example
 * const model = createModel({ vocabSize: 2048, hiddenSize: 192, intermediateSize: 512, layers: 5, heads: 6 }, { seed: 1, tokenizer });
 */
export function createModel(config: NewModelConfig, options: CreateOptions = {}): LanguageModel {
  const { seed, name, tokenizer, precision, linearStd, tiedKeyHeads, device } = checkOptions("createModel", options, {
    seed: integer({ fallback: 0 }),
    name: text({ fallback: "new model" }),
    device: text({ fallback: "auto" }),
    precision: choice<Precision>(precisions, { fallback: "f32" }),
    linearStd: custom<number | "fanIn">('a number above 0, or "fanIn"', isStd, INITIAL_STD),
    tiedKeyHeads: integer({ from: 0, fallback: 0 }),
    tokenizer: custom<Tokenizer>(
      "a Tokenizer",
      (value) => typeof value === "object" && value !== null && "encode" in value,
    ),
  });
  const full = completeConfig(config, tokenizer);
  if (tiedKeyHeads > full.kvHeads) {
    throw new OptionError(
      "createModel",
      `tiedKeyHeads is ${tiedKeyHeads}. Allowed: up to ${full.kvHeads}, the key heads.`,
    );
  }
  const place = deviceNamed("createModel", device);
  const random = new Random(seed);
  const tensors = new Map<string, Tensor>();
  for (const parameter of decoderShapes(full))
    tensors.set(parameter.name, keep(initial(parameter, full, linearStd, random.bits(), name)));
  if (tiedKeyHeads > 0) tieKeys(full, tensors, tiedKeyHeads);
  for (const [parameter, tensor] of tensors) tensors.set(parameter, keep(onDevice(tensor, place)));
  return new LanguageModel({ name, network: new Decoder(full, tensors), tokenizer: tokenizer ?? null, precision });
}

function isStd(value: unknown): boolean {
  return value === "fanIn" || (Number.isFinite(value) && (value as number) > 0);
}

/** Rows of the first key heads := those of the first query head that each serves. */
function tieKeys(config: ModelConfig, tensors: ReadonlyMap<string, Tensor>, count: number): void {
  const { headDim, hiddenSize, heads, kvHeads, layers } = config;
  const size = headDim * hiddenSize;
  for (let layer = 0; layer < layers; layer++) {
    const query = tensors.get(`blocks.${layer}.attention.q_proj.weight`)!.arraySync();
    const key = tensors.get(`blocks.${layer}.attention.k_proj.weight`)!;
    const rows = Float32Array.from(key.arraySync());
    for (let head = 0; head < count; head++) {
      const served = (head * heads) / kvHeads;
      rows.set(query.subarray(served * size, (served + 1) * size), head * size);
    }
    key.write(rows);
  }
}

function initial(
  { shape, role }: ParameterShape,
  config: ModelConfig,
  linearStd: number | "fanIn",
  seed: number,
  owner: string,
): Tensor {
  const options = { category: "weights", owner } as const;
  if (role === "norm") return Tensor.full(shape, 1, options);
  if (role === "bias") return Tensor.zeros(shape, options);
  if (role === "embedding") return Tensor.randomNormal(shape, INITIAL_STD, seed, options);
  const std = linearStd === "fanIn" ? 1 / Math.sqrt(shape[1]!) : linearStd;
  return Tensor.randomNormal(shape, role === "residual" ? std / Math.sqrt(2 * config.layers) : std, seed, options);
}

function completeConfig(config: NewModelConfig, tokenizer: Tokenizer | undefined): ModelConfig {
  if (typeof config !== "object" || config === null) {
    throw new OptionError(
      "createModel",
      `The config is ${shown(config)}. Expected an object with vocabSize, hiddenSize, intermediateSize, layers, heads.`,
    );
  }
  const { vocabSize, hiddenSize, intermediateSize, layers, heads } = config;
  const defaults: ModelConfig = {
    modelType: "llama",
    vocabSize,
    hiddenSize,
    intermediateSize,
    layers,
    heads,
    kvHeads: heads,
    headDim: hiddenSize / heads,
    maxPositions: 512,
    normEpsilon: 1e-5,
    ropeTheta: 10000,
    tieEmbeddings: true,
    attentionBias: false,
    mlpBias: false,
    bosToken: tokenizer?.bosToken ?? null,
    eosTokens: tokenizer === undefined || tokenizer.eosToken === null ? [] : [tokenizer.eosToken],
  };
  checkNames("createModel", "field of the config", Object.keys(config), Object.keys(defaults));
  const full: ModelConfig = { ...defaults, ...config };
  const counts = [
    "vocabSize",
    "hiddenSize",
    "intermediateSize",
    "layers",
    "heads",
    "kvHeads",
    "headDim",
    "maxPositions",
  ] as const;
  for (const field of counts) {
    if (Number.isSafeInteger(full[field]) && full[field] > 0) continue;
    throw new OptionError("createModel", `${field} is ${full[field]}. Allowed: a whole number of at least 1.`, {
      option: field,
    });
  }
  if (full.heads % full.kvHeads !== 0 || full.headDim % 2 !== 0) {
    const came = `${full.heads} heads, ${full.kvHeads} key/value heads, ${full.headDim} numbers a head`;
    throw new OptionError("createModel", `${came}. The second must divide the first, the third be even.`, {
      option: "heads",
    });
  }
  return full;
}
