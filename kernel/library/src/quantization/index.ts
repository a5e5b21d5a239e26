import { OptionError, UnsupportedError } from "../errors.js";
import { checkMethodOptions } from "../methods.js";
import type { LanguageModel } from "../models/model.js";
import type { Linear } from "../nn/linear.js";
import { selectByName } from "../nn/select.js";
import { checkOptions, custom, signal, type OptionRule } from "../options.js";
import { noGrad, scope } from "../tensor/scope.js";
import { awq } from "./awq.js";
import { isCalibration, readCalibration, type Calibration, type Sequences } from "./calibration.js";
import { fp4 } from "./fp4.js";
import { gptq } from "./gptq.js";
import { hqq } from "./hqq.js";
import { expectDense, quantizeLayers, type Job, type Plan } from "./layers.js";
import { magr, type MagrOptions } from "./magr.js";
import { nf2, nf3, nf4 } from "./normal-float.js";
import type { Packing } from "./packing.js";
import type { Preprocessor } from "./preprocessor.js";
import type { InputQuantizer, Quantizer, WeightQuantizer } from "./quantizer.js";
import { QuantizationReport } from "./report.js";
import { rtn } from "./rtn.js";

export { PackedWeight } from "./packed-weight.js";
export { QuantizationReport, type CalibrationSummary, type LayerQuantization } from "./report.js";
export type { Calibration, CalibrationOptions, LayerInputs } from "./calibration.js";
export type { InputQuantizer, Quantizer, WeightQuantizer } from "./quantizer.js";
export type { Preprocessor } from "./preprocessor.js";
export type { AwqOptions } from "./awq.js";
export type { Fp4Options } from "./fp4.js";
export type { GptqOptions } from "./gptq.js";
export type { HqqOptions } from "./hqq.js";
export type { MagrOptions } from "./magr.js";
export type { NormalFloatOptions } from "./normal-float.js";
export type { RtnOptions } from "./rtn.js";
export { ScaleAdapter, type ScaleChange } from "./scale-adapter.js";

/** The only list of quantizers. */
export const quantizers = { awq, fp4, gptq, hqq, nf4, nf3, nf2, rtn } as const;
export type QuantizerName = keyof typeof quantizers;
/** The only list of what changes weights before they are quantized. */
export const preprocessors = { magr } as const;
export type PreprocessorName = keyof typeof preprocessors;

/** Options of `quantize` that every method takes; `O` are the method's own. */
export interface QuantizeCommonOptions<O extends object = object> {
  /** Only these layers: names, their last parts, or patterns with `*`. Default: all linear layers of the blocks. */
  readonly include?: readonly string[];
  /** All but these. */
  readonly exclude?: readonly string[];
  /** Other options of the method for some layers, by name or pattern: `{ down_proj: { bits: 4 } }`; of several that fit, the last counts. */
  readonly overrides?: Readonly<Record<string, O>>;
  /**
   * Text or token ids that run through the model, block by block. gptq, awq and magr choose by them; with any method the report then has each layer's
   * output error.
   */
  readonly calibration?: Calibration;
  /** Changes each weight beforehand: "magr", or with its options `{ method: "magr", alpha: 0.1 }`. Needs calibration. */
  readonly preprocess?: PreprocessorName | ({ readonly method: "magr" } & MagrOptions);
  readonly signal?: AbortSignal;
}
type OptionsOf<Q> = Q extends WeightQuantizer<infer O> | InputQuantizer<infer O> ? O : never;
export type QuantizeOptions = {
  [N in QuantizerName]: { readonly method: N } & OptionsOf<(typeof quantizers)[N]> &
    QuantizeCommonOptions<OptionsOf<(typeof quantizers)[N]>>;
}[QuantizerName];

const patterns = () =>
  custom<readonly string[]>(
    "an array of layer names or patterns",
    (value) => Array.isArray(value) && value.every((entry) => typeof entry === "string"),
  );
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
/** What says how weights become codes, beside the method's own options. */
const packingRules = {
  overrides: custom<Readonly<Record<string, object>>>("an object from layer names or patterns to options", isObject),
  preprocess: custom<string | object>(
    `${Object.keys(preprocessors)
      .map((name) => JSON.stringify(name))
      .join(", ")} or an object with that method and its options`,
    (value) => typeof value === "string" || isObject(value),
  ),
};
const commonRules = {
  include: patterns(),
  exclude: patterns(),
  overrides: packingRules.overrides,
  calibration: custom<Calibration>(
    "a text, an iterable of texts, an Int32Array of token ids, or { text, sequences, length }",
    isCalibration,
  ),
  preprocess: packingRules.preprocess,
  signal: signal(),
};
type Common = ReturnType<typeof checkOptions<typeof commonRules>>;

/**
 * A new model whose linear layers are stored as codes; embedding, output layer and norms stay as they are. The given model
 * is left as it was and shares all that was not changed. What was done stands in the result's `quantization`; nothing in it
 * trains until `tune`. A model on a GPU is quantized layer by layer on the CPU, and its codes go back; the report says so.
 *
 * @throws {OptionError} for an option that the method does not have · {ShapeError} if a group does not divide a row ·
 *   {UnsupportedError} for a layer that is quantized already · {NumericsError} if the inputs do not determine the weights, even damped ·
 *   {InterruptedError} by the stop button or `signal`
 * @example
 * const small = await quantize(model, { method: "gptq", bits: 3, group: 64, calibration: data.pocket.text("train") });
 * small.quantization;   // a table: layer, bits, bytes, errors, time
 */
export async function quantize(model: LanguageModel, options: QuantizeOptions): Promise<LanguageModel> {
  const { method, own, common } = checkMethodOptions("quantize", quantizers, commonRules, options);
  // The registry's entries differ in their options; `own` was checked against this entry's rules.
  const quantizer = quantizers[method as QuantizerName] as unknown as Quantizer<object>;
  const preprocess = checkedPreprocess("quantize", common.preprocess);
  const description = describe(quantizer, own, preprocess, common.overrides);
  const sequences = calibrationOf(model, quantizer, common);
  if (sequences !== null && model.device !== "cpu") {
    const text = `Calibration runs on the CPU so far, and "${model.name}" is on "${model.device}". Quantize it there: quantize(model.fork({ device: "cpu" }), …), then fork({ device: "${model.device}" }).`;
    throw new UnsupportedError("quantize", text, { device: model.device });
  }
  const small = model.fork({ label: `${method}, ${description}` });
  small.network.freeze();
  small.tuning = null;
  try {
    const all = [...small.linears()];
    const names = chosenNames(all, common);
    const chosen = all.filter(([name]) => names.has(name));
    expectDense(chosen);
    const options = optionsByLayer("quantize", quantizer, chosen, own, common.overrides);
    const jobs = chosen.map(([name, linear]) => jobOf(name, linear, options.get(name)!));
    checkShapes(quantizer, jobs);
    const plan: Plan = {
      quantizer,
      preprocess: preprocess?.apply ?? null,
      sequences,
      label: `quantize ${method}`,
      signal: common.signal,
    };
    const layers = await noGrad(() => scope(() => quantizeLayers(small, jobs, plan)));
    const excluded = all.map(([name]) => name).filter((name) => !names.has(name));
    const inputs = quantizer.needs === "inputs" ? quantizer.flow : "exact";
    const calibration = sequences === null ? null : { tokens: sequences.tokens, inputs };
    const { overrides, preprocess: before } = common;
    const again = {
      method,
      ...own,
      ...(overrides && { overrides }),
      ...(before !== undefined && { preprocess: before }),
    };
    small.quantization = new QuantizationReport(method, description, layers, excluded, calibration, again);
    return small;
  } catch (error) {
    small.dispose();
    throw error;
  }
}

/**
 * How `quantize` would turn these layers of a model into codes, by name.
 *
 * @param given the options of `quantize` that say how: `method`, its own, `overrides`, `preprocess`
 * @throws {OptionError} · {ShapeError} if a group does not divide a row
 */
export function packingsOf(
  op: string,
  model: LanguageModel,
  names: ReadonlySet<string>,
  given: object,
): ReadonlyMap<string, Packing> {
  const { method, own, common } = checkMethodOptions(op, quantizers, packingRules, given);
  const quantizer = quantizers[method as QuantizerName] as unknown as Quantizer<object>;
  const preprocess = checkedPreprocess(op, common.preprocess)?.apply ?? null;
  const all = [...model.linears()];
  const options = optionsByLayer(op, quantizer, all, own, common.overrides);
  const jobs = all.filter(([name]) => names.has(name)).map(([name, linear]) => jobOf(name, linear, options.get(name)!));
  checkShapes(quantizer, jobs);
  return new Map(jobs.map((job) => [job.name, { quantizer, preprocess, options: job.options }]));
}

/** The common options, changed by the overrides that fit a layer. */
function optionsByLayer(
  op: string,
  quantizer: Quantizer<object>,
  layers: readonly [string, Linear][],
  own: object,
  overrides: Readonly<Record<string, object>> | undefined,
): ReadonlyMap<string, object> {
  const options = new Map(layers.map(([name]) => [name, own]));
  for (const [pattern, changes] of Object.entries(overrides ?? {})) {
    // Checked as written, so that the error names what is wrong; then laid over the common options.
    checkOptions(op, changes, quantizer.rules as Record<string, OptionRule<unknown>>);
    const changed = { ...own, ...changes };
    for (const [name] of selectByName(op, "overrides", layers, [pattern])) options.set(name, changed);
  }
  return options;
}

function jobOf(name: string, linear: Linear, options: object): Job {
  return { name, linear, rows: linear.rows, columns: linear.columns, options };
}

/** @throws {ShapeError} */
function checkShapes(quantizer: Quantizer<object>, jobs: readonly Job[]): void {
  for (const options of new Set(jobs.map((job) => job.options)))
    quantizer.checkLayers(
      jobs.filter((job) => job.options === options),
      options,
    );
}

interface CheckedPreprocess {
  readonly description: string;
  readonly apply: NonNullable<Packing["preprocess"]>;
}

function checkedPreprocess(op: string, given: string | object | undefined): CheckedPreprocess | null {
  if (given === undefined) return null;
  const written = typeof given === "string" ? { method: given } : given;
  const { method, own } = checkMethodOptions(op, preprocessors, {}, written);
  const preprocessor = preprocessors[method as PreprocessorName] as unknown as Preprocessor<object>;
  return {
    description: preprocessor.describe(own),
    apply: (weight, inputs, options) => {
      const { group } = options as { readonly group?: unknown };
      return preprocessor.apply(weight, inputs, typeof group === "number" && group < weight.shape[1]! ? group : 0, own);
    },
  };
}

function describe(
  quantizer: Quantizer<object>,
  own: object,
  preprocess: CheckedPreprocess | null,
  overrides: Readonly<Record<string, object>> | undefined,
): string {
  const before = preprocess === null ? "" : `${preprocess.description}, then `;
  const changes = Object.entries(overrides ?? {}).map(([pattern, changed]) => `${pattern} ${JSON.stringify(changed)}`);
  return before + quantizer.describe(own) + (changes.length === 0 ? "" : `; ${changes.join(", ")}`);
}

function calibrationOf(model: LanguageModel, quantizer: Quantizer<object>, common: Common): Sequences | null {
  if (common.calibration !== undefined) return readCalibration(model, common.calibration);
  const needy = quantizer.needs === "inputs" ? quantizer.name : common.preprocess === undefined ? null : "preprocess";
  if (needy === null) return null;
  throw new OptionError(
    "quantize",
    `${needy} chooses by what flows into each layer, but no calibration came. Give some text like the model's own, for example { calibration: data.pocket.text("train") }.`,
    { option: "calibration" },
  );
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
