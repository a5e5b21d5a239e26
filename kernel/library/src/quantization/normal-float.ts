import { blockRules, describeBlocks, packedBlocks, type BlockOptions } from "./blocks.js";
import { defineQuantizer } from "./quantizer.js";

/** Options of `nf4`, `nf3` and `nf2`. */
export type NormalFloatOptions = BlockOptions;

/**
 * NormalFloat: 2^bits levels at quantiles of the normal distribution, scaled by each block's largest magnitude (QLoRA, arXiv 2305.14314, §3; two
 * and three bits as in LoftQ, arXiv 2310.08659). nf4's codes, scales and double quantization are byte for byte those of bitsandbytes.
 *
 *   s_b = max_{i∈b} |W_i|,  q_i = argmin_k |W_i/s_b − level_k| (a tie goes down),  Ŵ_i = level_{q_i}·s_b
 */
function normalFloat<B extends 2 | 3 | 4>(bits: B) {
  const name = `nf${bits}` as const;
  return defineQuantizer<NormalFloatOptions>({
    name,
    needs: "weights",
    rules: blockRules,
    describe: (options) => `${bits}-bit NormalFloat, ${describeBlocks(options)}`,
    checkLayers: () => {},
    quantize: (weight, options) => packedBlocks(weight, name, options),
  });
}

export const nf4 = normalFloat(4);
export const nf3 = normalFloat(3);
export const nf2 = normalFloat(2);
