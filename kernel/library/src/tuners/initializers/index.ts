import { OptionError, ShapeError, UnsupportedError } from "../../errors.js";
import { checkMethodOptions } from "../../methods.js";
import { LanguageModel } from "../../models/model.js";
import { DenseWeight } from "../../nn/linear.js";
import { custom, signal } from "../../options.js";
import { isCalibration, readCalibration, type Calibration, type Sequences } from "../../quantization/calibration.js";
import { packingsOf, type QuantizeOptions } from "../../quantization/index.js";
import { needsInputs, type Packing } from "../../quantization/packing.js";
import { LoraAdapter } from "../lora-adapter.js";
import { cloq } from "./cloq.js";
import { gaussian } from "./gaussian.js";
import type { Initializer } from "./initializer.js";
import { loftq } from "./loftq.js";
import { pissa } from "./pissa.js";
import { InitializationReport } from "./report.js";
import { startLayers, type Job } from "./run.js";
import { svd } from "./svd.js";

export type { CloqOptions } from "./cloq.js";
export type { GaussianOptions } from "./gaussian.js";
export type { Initializer } from "./initializer.js";
export type { LoftqOptions } from "./loftq.js";
export type { PissaOptions } from "./pissa.js";
export { InitializationReport, type LayerInitialization } from "./report.js";
export type { SvdOptions } from "./svd.js";

/** The only list of initializers. */
export const adapterInitializers = { cloq, gaussian, loftq, pissa, svd } as const;
export type AdapterInitializerName = keyof typeof adapterInitializers;

/** Options of `initialize` that every method takes. */
export interface InitializeCommonOptions {
  /** The model before it was quantized, for methods that look at what quantization took away. */
  readonly original?: LanguageModel;
  /** Text or token ids that run through the model: cloq chooses by them; with any method the report then has output errors. */
  readonly calibration?: Calibration;
  /** How to quantize again, for loftq and pissa. Default: as the model says that it was quantized. */
  readonly quantize?: QuantizeOptions;
  readonly signal?: AbortSignal;
}
type OptionsOf<I> = I extends Initializer<infer O> ? O : never;
export type InitializeOptions = {
  [N in AdapterInitializerName]: { readonly method: N } & OptionsOf<(typeof adapterInitializers)[N]> &
    InitializeCommonOptions;
}[AdapterInitializerName];

const commonRules = {
  original: custom<LanguageModel>("a model", (value) => value instanceof LanguageModel),
  calibration: custom<Calibration>(
    "a text, an iterable of texts, token ids, or { text, sequences, length }",
    isCalibration,
  ),
  quantize: custom<QuantizeOptions>("the options of quantize", (value) => typeof value === "object" && value !== null),
  signal: signal(),
};
interface Common {
  readonly original: LanguageModel | undefined;
  readonly calibration: Calibration | undefined;
  readonly quantize: QuantizeOptions | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Starts the adapters of a tuned model anew, in place, and returns it. pissa and loftq put other weights below. Whatever alpha is,
 * the layer then multiplies by what was fitted. What was done stands in `model.initialization`; stopped half-way, the model is as it was.
 *
 * @throws {UnsupportedError} without LoRA · {OptionError} where `original`, `calibration` or `quantize` is needed and missing ·
 *   {ShapeError} if `original` is another model · {InterruptedError} by the stop button or `signal`
 * @example
 * const small = await quantize(model, { method: "rtn", bits: 2, group: 32 });
 * const tuned = await initialize(tune(small, { method: "lora", rank: 16 }), { method: "loftq", original: model });
 * tuned.initialization;   // a table: layer, weight error before and after
 */
export async function initialize(model: LanguageModel, options: InitializeOptions): Promise<LanguageModel> {
  const { method, own, common } = checkMethodOptions("initialize", adapterInitializers, commonRules, options);
  // The registry's entries differ in their options; `own` was checked against this entry's rules.
  const initializer = adapterInitializers[method as AdapterInitializerName] as unknown as Initializer<object>;
  const jobs = jobsOf(model);
  const packings = checkNeeds(model, initializer, jobs, common);
  const sequences: Sequences | null =
    common.calibration === undefined ? null : readCalibration(model, common.calibration);
  const layers = await startLayers(model, jobs, {
    label: `initialize ${method}`,
    start: (layer) => initializer.start(layer, own as Required<object>),
    original: common.original === undefined ? null : new Map(common.original.linears()),
    sequences,
    packings,
    signal: common.signal,
  });
  model.initialization = new InitializationReport(
    method,
    initializer.describe(own as Required<object>),
    layers,
    sequences?.tokens ?? null,
  );
  return model;
}

function jobsOf(model: LanguageModel): Job[] {
  const jobs = [...model.linears()].flatMap(([name, linear]): Job[] =>
    linear.adapter instanceof LoraAdapter ? [{ name, linear, adapter: linear.adapter }] : [],
  );
  if (jobs.length === 0) {
    const text = `"${model.name}" has no LoRA to start. Call tune(model, { method: "lora" }) first.`;
    throw new UnsupportedError("initialize", text);
  }
  const still = jobs.find(({ adapter }) => adapter.scaling === 0);
  if (still === undefined) return jobs;
  const text = `The adapter of ${still.name} has alpha 0, so that no start makes a difference. Tune with another alpha.`;
  throw new UnsupportedError("initialize", text, { layer: still.name });
}

/** @returns how each layer is quantized again; null where that is not needed */
function checkNeeds(
  model: LanguageModel,
  initializer: Initializer<object>,
  jobs: readonly Job[],
  common: Common,
): ReadonlyMap<string, Packing> | null {
  const needs = new Set(
    jobs.flatMap(({ linear }) => initializer.needs({ dense: linear.weight instanceof DenseWeight })),
  );
  const why = {
    original: `${initializer.name} looks at what quantization took away. Give the model before it as { original }`,
    calibration: `${initializer.name} looks at what flows into each layer. Give some text like the model's own as { calibration }`,
    quantizer: "",
  };
  for (const need of ["original", "calibration"] as const) {
    if (needs.has(need) && common[need] === undefined)
      throw new OptionError("initialize", `${why[need]}.`, { option: need });
  }
  if (common.original !== undefined) checkOriginal(jobs, common.original);
  return needs.has("quantizer") ? requantizing(model, initializer.name, jobs, common) : null;
}

function checkOriginal(jobs: readonly Job[], original: LanguageModel): void {
  const others = new Map(original.linears());
  for (const { name, linear } of jobs) {
    const other = others.get(name);
    if (other?.rows === linear.rows && other.columns === linear.columns) continue;
    const came = other === undefined ? "is missing" : `is [${other.rows}, ${other.columns}]`;
    throw new ShapeError(
      "initialize",
      `${name} of the original ${came}. Expected [${linear.rows}, ${linear.columns}], as in the model.`,
      {
        layer: name,
      },
    );
  }
}

function requantizing(
  model: LanguageModel,
  initializer: string,
  jobs: readonly Job[],
  { quantize, calibration }: Common,
): ReadonlyMap<string, Packing> {
  const given: object | null = quantize ?? model.quantization?.options ?? null;
  if (given === null) {
    const text = `${initializer} quantizes again, but nothing says how. Give { quantize: { method: "rtn", bits: 4 } } or another.`;
    throw new OptionError("initialize", text, { option: "quantize" });
  }
  const packings = packingsOf("initialize", model, new Set(jobs.map(({ name }) => name)), given);
  for (const packing of packings.values()) refuseUnfit(packing, calibration);
  return packings;
}

function refuseUnfit(packing: Packing, calibration: Calibration | undefined): void {
  const { quantizer } = packing;
  if (quantizer.needs === "inputs" && quantizer.prepare !== undefined) {
    const text = `${quantizer.name} changes whole blocks, which cannot be done again layer by layer. Give { quantize } with another method.`;
    throw new OptionError("initialize", text, { option: "quantize" });
  }
  if (calibration !== undefined || !needsInputs(packing)) return;
  const what = quantizer.needs === "inputs" ? quantizer.name : "preprocess";
  const text = `${what} looks at what flows into each layer. Give some text like the model's own as { calibration }.`;
  throw new OptionError("initialize", text, { option: "calibration" });
}
