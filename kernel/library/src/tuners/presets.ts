import { OptionError } from "../errors.js";
import type { LanguageModel } from "../models/model.js";
import { checkOptions } from "../options.js";
import { isCalibration, type Calibration } from "../quantization/calibration.js";
import { quantize, quantizers, type RtnOptions } from "../quantization/index.js";
import { adapterInitializers, initialize } from "./initializers/index.js";
import { tune, tuners, type LoraOptions } from "./index.js";

const { lora } = tuners;
/** The rank of QLoRA, LoftQ and CLoQ. */
const RANK = 64;

/**
 * QLoRA (Dettmers et al. 2023, arXiv 2305.14314): NF4 with double quantization below, LoRA on all linear layers above, rank 64
 * and alpha 16 unless told otherwise. The given model is left as it was.
 *
 * @example
 * const tuned = await qlora(model, { rank: 16, alpha: 16 });
 */
export async function qlora(model: LanguageModel, options: LoraOptions = {}): Promise<LanguageModel> {
  checkOptions("qlora", options, lora.rules);
  const small = await quantize(model, { method: "nf4", doubleQuant: true });
  return tune(small, { method: "lora", rank: RANK, alpha: 16, ...options });
}

/**
 * PEQA (Kim et al. 2023, arXiv 2305.14152): round to nearest, 4 bits per channel unless told otherwise, then only the scales
 * train. The given model is left as it was.
 *
 * @example
 * const tuned = await peqa(model, { bits: 3 });
 */
export async function peqa(model: LanguageModel, options: RtnOptions = {}): Promise<LanguageModel> {
  checkOptions("peqa", options, quantizers.rtn.rules);
  const small = await quantize(model, { method: "rtn", ...options });
  return tune(small, { method: "peqa" });
}

/**
 * LoftQ (Li et al. 2023, arXiv 2310.08659): NF4 and LoRA of rank 64 fitted to each other in turns, at scaling 1. The given model is
 * left as it was.
 *
 * @example
 * const tuned = await loftq(model, { rank: 16, iterations: 5 });
 */
export async function loftq(
  model: LanguageModel,
  options: LoraOptions & { readonly iterations?: number } = {},
): Promise<LanguageModel> {
  checkOptions("loftq", options, { ...lora.rules, ...adapterInitializers.loftq.rules });
  const { iterations, ...own } = options;
  const small = await quantize(model, { method: "nf4" });
  const tuned = tune(small, { method: "lora", rank: RANK, ...own });
  return initialize(tuned, { method: "loftq", original: model, ...(iterations !== undefined && { iterations }) });
}

/** Options of the presets that look at what flows through the model. */
export interface CalibratedOptions extends LoraOptions, Pick<RtnOptions, "bits" | "group"> {
  /** Text like that which the model will be tuned on. */
  readonly calibration: Calibration;
}

/**
 * LoRA of rank 64 over GPTQ's codes, 4 bits and groups of 64 unless told otherwise: what LoftQ and CLoQ must beat. The given model is
 * left as it was.
 *
 * @example
 * const tuned = await gptqLora(model, { bits: 2, calibration: data.pocket.text("train") });
 */
export async function gptqLora(model: LanguageModel, options: CalibratedOptions): Promise<LanguageModel> {
  const { calibration, grid, own } = calibrated("gptqLora", options);
  const small = await quantize(model, { method: "gptq", ...grid, calibration });
  return tune(small, { method: "lora", rank: RANK, ...own });
}

/**
 * CLoQ (Deng et al. 2025, arXiv 2501.18475): MagR and GPTQ below, 4 bits and groups of 64 unless told otherwise, and LoRA of rank 64
 * started where the outputs are nearest to what they were. The given model is left as it was.
 *
 * @example
 * const tuned = await cloq(model, { bits: 2, rank: 16, calibration: data.pocket.text("train") });
 */
export async function cloq(model: LanguageModel, options: CalibratedOptions): Promise<LanguageModel> {
  const { calibration, grid, own } = calibrated("cloq", options);
  const small = await quantize(model, { method: "gptq", ...grid, calibration, preprocess: "magr" });
  const tuned = tune(small, { method: "lora", rank: RANK, ...own });
  return initialize(tuned, { method: "cloq", original: model, calibration });
}

function calibrated(op: string, options: CalibratedOptions) {
  const { bits: bitsRule, group: groupRule } = quantizers.rtn.rules;
  const calibrationRule = { expects: "a text, an iterable of texts or token ids", accepts: isCalibration };
  checkOptions(op, options, { ...lora.rules, bits: bitsRule, group: groupRule, calibration: calibrationRule });
  const { calibration, bits = 4, group = 64, ...own } = options;
  if (calibration !== undefined) return { calibration, grid: { bits, group } as const, own };
  const text =
    'No calibration came. Give some text like the model\'s own, for example { calibration: data.pocket.text("train") }.';
  throw new OptionError(op, text, { option: "calibration" });
}
