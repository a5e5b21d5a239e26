import { choice } from "../options.js";
import { blockRules, describeBlocks, packedBlocks, type BlockOptions } from "./blocks.js";
import { defineQuantizer } from "./quantizer.js";

const LEVELS = ["bitsandbytes", "e2m1"] as const;

/** Options of `fp4`. */
export interface Fp4Options extends BlockOptions {
  /**
   * Whose 4-bit floats: "bitsandbytes" (default), with the smallest step at 1/192 of the largest level, or "e2m1", those of the Open Compute
   * Project: 0, .5, 1, 1.5, 2, 3, 4, 6. Files of one cannot be read as the other.
   */
  readonly levels?: (typeof LEVELS)[number];
}

/**
 * 4-bit floating point, scaled by each block's largest magnitude (QLoRA, arXiv 2305.14314, compares with it). bitsandbytes' codes, scales and
 * double quantization are byte for byte its own.
 *
 *   s_b = max_{i∈b} |W_i| / max level,  q_i = argmin_k |W_i/s_b − level_k|,  Ŵ_i = level_{q_i}·s_b
 */
export const fp4 = defineQuantizer<Fp4Options>({
  name: "fp4",
  needs: "weights",
  rules: { ...blockRules, levels: choice(LEVELS, { fallback: "bitsandbytes" }) },
  describe: (options) => `4-bit float (${options.levels}), ${describeBlocks(options)}`,
  checkLayers: () => {},
  quantize: (weight, { levels, ...options }) => packedBlocks(weight, levels === "e2m1" ? "e2m1" : "fp4", options),
});
