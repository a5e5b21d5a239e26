import { choice, flag } from "../options.js";
import { quantizeBlocks, quantizeScalesNested, type PackedMatrix, type TableFormat } from "../tensor/packed.js";
import type { Tensor } from "../tensor/tensor.js";

// What the quantizers on fixed levels share: blocks over the flattened weight, and double quantization.

const BLOCK_SIZES = [32, 64, 128, 256, 512, 1024, 2048, 4096] as const;

/** Options of every quantizer with a table of levels. */
export interface BlockOptions {
  /** Weights that share a scale, counted over the flattened weight. Default 64, QLoRA's. */
  readonly blockSize?: (typeof BLOCK_SIZES)[number];
  /** Scales in 8 bits, blocks of 256 of them sharing an f32: 0.127 instead of 0.5 bits a weight at block 64. Default false. */
  readonly doubleQuant?: boolean;
}

export const blockRules = {
  blockSize: choice(BLOCK_SIZES, { fallback: 64 }),
  doubleQuant: flag({ fallback: false }),
};

/** "a scale for 64 weights, scales in 8 bits (double quantization)" */
export function describeBlocks({ blockSize, doubleQuant }: Required<BlockOptions>): string {
  return `a scale for ${blockSize} weights${doubleQuant ? ", scales in 8 bits (double quantization)" : ""}`;
}

/** Codes at the nearest level of each weight over its block's scale. */
export function packedBlocks(
  weight: Tensor,
  format: TableFormat,
  { blockSize, doubleQuant }: Required<BlockOptions>,
): PackedMatrix {
  const [rows, columns] = weight.shape as [number, number];
  const { codes, scales } = quantizeBlocks(weight, format, blockSize);
  const packed = { format, rows, columns, group: blockSize, codes } as const;
  if (!doubleQuant) return { ...packed, scales };
  const nested = quantizeScalesNested(scales);
  scales.dispose();
  return { ...packed, scales: nested.codes, nestedScales: nested.scales, nestedOffset: nested.offset };
}
