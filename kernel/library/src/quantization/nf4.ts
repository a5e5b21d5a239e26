import { blockRules, describeBlocks, packedBlocks, type BlockOptions } from "./blocks.js";
import { defineQuantizer } from "./quantizer.js";

/** Options of `nf4`. */
export type Nf4Options = BlockOptions;

/**
 * 4-bit NormalFloat: sixteen levels at quantiles of the normal distribution, scaled by each block's largest magnitude
 * (QLoRA, arXiv 2305.14314, §3). Codes, scales and double quantization are byte for byte those of bitsandbytes.
 *
 *   s_b = max_{i∈b} |W_i|,  q_i = argmin_k |W_i/s_b − level_k| (a tie goes down),  Ŵ_i = level_{q_i}·s_b
 */
export const nf4 = defineQuantizer<Nf4Options>({
  name: "nf4",
  needs: "weights",
  rules: blockRules,
  describe: (options) => `4-bit NormalFloat, ${describeBlocks(options)}`,
  checkLayers: () => {},
  quantize: (weight, options) => packedBlocks(weight, "nf4", options),
});
