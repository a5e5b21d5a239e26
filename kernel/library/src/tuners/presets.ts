import type { LanguageModel } from "../models/model.js";
import { checkOptions } from "../options.js";
import { quantize, quantizers, type RtnOptions } from "../quantization/index.js";
import { adapterInitializers, initialize } from "./initializers/index.js";
import { tune, tuners, type LoraOptions } from "./index.js";

const { lora } = tuners;
/** The rank of QLoRA and LoftQ. */
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
