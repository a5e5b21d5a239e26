import type { LanguageModel } from "../models/model.js";
import { checkOptions } from "../options.js";
import { quantize, quantizers, type RtnOptions } from "../quantization/index.js";
import { tune, tuners, type LoraOptions } from "./index.js";

/**
 * QLoRA (Dettmers et al. 2023, arXiv 2305.14314): NF4 with double quantization below, LoRA on all linear layers above, rank 64
 * and alpha 16 unless told otherwise. The given model is left as it was.
 *
 * @example
 * const tuned = await qlora(model, { rank: 16, alpha: 16 });
 */
export async function qlora(model: LanguageModel, options: LoraOptions = {}): Promise<LanguageModel> {
  checkOptions("qlora", options, tuners.lora.rules);
  const small = await quantize(model, { method: "nf4", doubleQuant: true });
  return tune(small, { method: "lora", rank: 64, alpha: 16, ...options });
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
