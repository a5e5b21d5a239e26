import { readTokens, isTokenSource, type TokenSource } from "../data/tokens.js";
import { OptionError } from "../errors.js";
import { checkMethodOptions } from "../methods.js";
import { encoderOf } from "../models/encoder.js";
import type { LanguageModel } from "../models/model.js";
import type { LinearWeight } from "../nn/linear.js";
import { selectByName } from "../nn/select.js";
import { custom, signal } from "../options.js";
import type { Tensor } from "../tensor/tensor.js";
import { jobsOf, quantizeLayers } from "./layers.js";
import { nf4 } from "./nf4.js";
import { outputErrors } from "./output-error.js";
import type { InputQuantizer, WeightQuantizer } from "./quantizer.js";
import { QuantizationReport, type LayerQuantization } from "./report.js";
import { rtn } from "./rtn.js";

export { PackedWeight } from "./packed-weight.js";
export { QuantizationReport, type LayerQuantization } from "./report.js";
export type { Quantizer } from "./quantizer.js";
export type { Nf4Options } from "./nf4.js";
export type { RtnOptions } from "./rtn.js";
export { ScaleAdapter, type ScaleChange } from "./scale-adapter.js";

/** The only list of quantizers. */
export const quantizers = { nf4, rtn } as const;
export type QuantizerName = keyof typeof quantizers;

/** Options of `quantize` that every method takes. */
export interface QuantizeCommonOptions {
  /** Only these layers: names, their last parts, or patterns with `*`. Default: all linear layers of the blocks. */
  readonly include?: readonly string[];
  /** All but these. */
  readonly exclude?: readonly string[];
  /** Text or token ids to measure each layer's output error with. */
  readonly calibration?: TokenSource;
  readonly signal?: AbortSignal;
}
type OptionsOf<Q> = Q extends WeightQuantizer<infer O> | InputQuantizer<infer O> ? O : never;
export type QuantizeOptions = {
  [N in QuantizerName]: { readonly method: N } & OptionsOf<(typeof quantizers)[N]> & QuantizeCommonOptions;
}[QuantizerName];

const patterns = () =>
  custom<readonly string[]>(
    "an array of layer names or patterns",
    (value) => Array.isArray(value) && value.every((entry) => typeof entry === "string"),
  );
const commonRules = {
  include: patterns(),
  exclude: patterns(),
  calibration: custom<TokenSource>("a text, an iterable of texts, or an Int32Array of token ids", isTokenSource),
  signal: signal(),
};
const MAX_CALIBRATION_TOKENS = 4096;

/**
 * A new model whose linear layers are stored as codes; embedding, output layer and norms stay as they are. The given model
 * is left as it was and shares all that was not quantized. What was done stands in the result's `quantization`; nothing in it
 * trains until `tune`.
 *
 * @throws {OptionError} for an option that the method does not have · {ShapeError} if a group does not divide a row ·
 *   {UnsupportedError} for a layer that is quantized already · {InterruptedError} by the stop button or `signal`
 * @example
 * const small = await quantize(model, { method: "rtn", bits: 2, group: "channel" });
 * small.quantization;   // a table: layer, bits, bytes, error
 */
export async function quantize(model: LanguageModel, options: QuantizeOptions): Promise<LanguageModel> {
  const { method, own, common } = checkMethodOptions("quantize", quantizers, commonRules, options);
  // The registry's entries differ in their options; `own` was checked against this entry's rules.
  const quantizer = quantizers[method as QuantizerName] as unknown as WeightQuantizer<object>;
  const description = quantizer.describe(own);
  const small = model.fork({ label: `${method}, ${description}` });
  small.network.freeze();
  small.tuning = null;
  try {
    const all = [...small.linears()];
    const names = chosenNames(all, common);
    const jobs = jobsOf(all.filter(([name]) => names.has(name)));
    quantizer.checkLayers(jobs, own);
    const progress = { label: `quantize ${method}`, signal: common.signal };
    const layers = await quantizeLayers(jobs, (weight: Tensor) => quantizer.quantize(weight, own), progress);
    const excluded = all.map(([name]) => name).filter((name) => !names.has(name));
    const calibration = common.calibration === undefined ? null : calibrationTokens(model, common.calibration);
    const measured =
      calibration === null ? layers : await withOutputErrors(model, small, layers, calibration, common.signal);
    small.quantization = new QuantizationReport(method, description, measured, excluded, calibration?.length ?? null, {
      method,
      ...own,
    });
    return small;
  } catch (error) {
    small.dispose();
    throw error;
  }
}

function chosenNames<T>(
  all: readonly [string, T][],
  {
    include,
    exclude,
  }: { readonly include: readonly string[] | undefined; readonly exclude: readonly string[] | undefined },
): ReadonlySet<string> {
  const included = include === undefined ? all : selectByName("quantize", "include", all, include);
  const excluded = new Set(
    (exclude === undefined ? [] : selectByName("quantize", "exclude", all, exclude)).map(([name]) => name),
  );
  const names = new Set(included.map(([name]) => name).filter((name) => !excluded.has(name)));
  if (names.size === 0) throw new OptionError("quantize", "include and exclude leave no layer. Leave one of them out.");
  return names;
}

function calibrationTokens(model: LanguageModel, source: TokenSource): Int32Array {
  const tokens = readTokens(source, encoderOf(model), MAX_CALIBRATION_TOKENS).subarray(0, MAX_CALIBRATION_TOKENS);
  if (tokens.length === 0)
    throw new OptionError("quantize", "calibration has no tokens. Give some text, or leave it out.");
  return tokens;
}

async function withOutputErrors(
  model: LanguageModel,
  small: LanguageModel,
  layers: readonly LayerQuantization[],
  tokens: Int32Array,
  stop: AbortSignal | undefined,
): Promise<LayerQuantization[]> {
  const chosen = new Set(layers.map(({ layer }) => layer));
  const packed = new Map<string, LinearWeight>();
  for (const [name, linear] of small.linears()) if (chosen.has(name)) packed.set(name, linear.weight);
  const errors = await outputErrors(model, packed, tokens, stop);
  return layers.map((layer) => ({ ...layer, outputError: errors.get(layer.layer) ?? null }));
}
