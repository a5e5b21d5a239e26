import { OptionError } from "../errors.js";
import { checkMethodOptions } from "../methods.js";
import type { LanguageModel } from "../models/model.js";
import { selectByName } from "../nn/select.js";
import { custom } from "../options.js";
import { nameAdapter } from "./adapters/index.js";
import { full } from "./full.js";
import { lora } from "./lora.js";
import { norm } from "./norm.js";
import { peqa } from "./peqa.js";
import { qat } from "./qat.js";
import { Tuning, type Tuner, type TunerTarget } from "./tuner.js";

export { Adapter, type LayerAdapter } from "./adapters/adapter.js";
export { loadAdapter, saveAdapter, useAdapter, type LoadAdapterOptions } from "./adapters/index.js";
export {
  initialize,
  adapterInitializers,
  InitializationReport,
  type CloqOptions,
  type GaussianOptions,
  type InitializeOptions,
  type Initializer,
  type AdapterInitializerName,
  type LayerInitialization,
  type LoftqOptions,
  type PissaOptions,
  type SvdOptions,
} from "./initializers/index.js";
export { Merge, merge, MERGED, type MergedModel, type MergedName, type MergeOptions } from "./merge.js";
export { countTrainable, type CountOptions } from "./count.js";
export { Tuning, type Tuner } from "./tuner.js";
export type { LoraOptions } from "./lora.js";
export { LoraAdapter } from "./lora-adapter.js";
export type { NormOptions } from "./norm.js";
export type { PeqaOptions } from "./peqa.js";
export { FakeQuantizedWeight, type QatOptions } from "./qat.js";

/** The only list of tuners. */
export const tuners = { full, lora, norm, peqa, qat } as const;
export type TunerName = keyof typeof tuners;

/** Options of `tune` that every method takes. */
export interface TuneCommonOptions {
  /** "all-linear" (default: every linear layer of the blocks), or names, their last parts, or patterns with `*`. */
  readonly targets?: "all-linear" | readonly string[];
}
type OptionsOf<T> = T extends Tuner<infer O> ? O : never;
export type TuneOptions = {
  [N in TunerName]: { readonly method: N } & OptionsOf<(typeof tuners)[N]> & TuneCommonOptions;
}[TunerName];

const commonRules = {
  targets: custom<"all-linear" | readonly string[]>(
    '"all-linear" or an array of layer names or patterns',
    (value) => value === "all-linear" || (Array.isArray(value) && value.every((entry) => typeof entry === "string")),
    "all-linear",
  ),
};

/**
 * Makes a model trainable in place and returns it: everything is frozen, then the method's numbers are added or turned on.
 * Which numbers train stands in `model.tuning`; models that share bytes with this one stay as they are.
 *
 * @throws {OptionError} for an option that the method does not have, or a target that fits no layer ·
 *   {UnsupportedError} if the method cannot work on this model; the text says what to do
 * @example
 * const tuned = tune(small, { method: "peqa" });
 * tune(model, { method: "lora", rank: 8, targets: ["q_proj", "v_proj"] }).tuning;
 */
export function tune(model: LanguageModel, options: TuneOptions): LanguageModel {
  const { method, own, common } = checkMethodOptions("tune", tuners, commonRules, options);
  // The registry's entries differ in their options; `own` was checked against this entry's rules.
  const tuner = tuners[method as TunerName] as unknown as Tuner<object>;
  if (tuner.takesTargets === false && common.targets !== "all-linear") {
    throw new OptionError("tune", `${method} takes no targets: ${tuner.describe(own)}. Leave targets out.`, {
      option: "targets",
    });
  }
  const all = [...model.linears()];
  const layers = common.targets === "all-linear" ? all : selectByName("tune", "targets", all, common.targets);
  const target: TunerTarget = { layers, parameters: () => model.namedParameters() };
  tuner.check(target, own);
  model.network.freeze();
  tuner.attach(target, own);
  const trainable = new Map([...model.trainableParameters()].map(([name, tensor]) => [name, tensor.size]));
  model.tuning = new Tuning(method, tuner.describe(own), tuner.learningRate(own), trainable);
  nameAdapter(model);
  return model;
}
