import { choice, flag } from "../options.js";
import { quantizeBlocks, quantizeScalesNested } from "../tensor/packed.js";
import { defineQuantizer } from "./quantizer.js";

const BLOCK_SIZES = [32, 64, 128, 256, 512, 1024, 2048, 4096] as const;

/** Options of `nf4`. */
export interface Nf4Options {
  /** Weights that share a scale, counted over the flattened weight. Default 64, QLoRA's. */
  readonly blockSize?: (typeof BLOCK_SIZES)[number];
  /** Scales in 8 bits, blocks of 256 of them sharing an f32: 4.127 instead of 4.5 bits a weight at block 64. Default false. */
  readonly doubleQuant?: boolean;
}

/**
 * 4-bit NormalFloat: sixteen levels at quantiles of the normal distribution, scaled by each block's largest magnitude
 * (QLoRA, arXiv 2305.14314, §3). Codes, scales and double quantization are byte for byte those of bitsandbytes.
 *
 *   s_b = max_{i∈b} |W_i|,  q_i = argmin_k |W_i/s_b − level_k| (a tie goes down),  Ŵ_i = level_{q_i}·s_b
 */
export const nf4 = defineQuantizer<Nf4Options>({
  name: "nf4",
  needs: "weights",
  rules: {
    blockSize: choice(BLOCK_SIZES, { fallback: 64 }),
    doubleQuant: flag({ fallback: false }),
  },
  describe: ({ blockSize, doubleQuant }) =>
    `4-bit NormalFloat, a scale for ${blockSize} weights${doubleQuant ? ", scales in 8 bits (double quantization)" : ""}`,
  checkLayers: () => {},
  quantize(weight, { blockSize, doubleQuant }) {
    const [rows, columns] = weight.shape as [number, number];
    const { codes, scales } = quantizeBlocks(weight, "nf4", blockSize);
    const packed = { format: "nf4", rows, columns, group: blockSize, codes } as const;
    if (!doubleQuant) return { ...packed, scales };
    const nested = quantizeScalesNested(scales);
    scales.dispose();
    return { ...packed, scales: nested.codes, nestedScales: nested.scales, nestedOffset: nested.offset };
  },
});
