import type { PackedWeight as NativePackedWeight } from "@nibble-lab/native";
import { native } from "./native.js";
import { Tensor } from "./tensor.js";

export type PackedFormat = NativePackedWeight["format"];

/**
 * A weight [rows, columns] = [out, in] as codes.
 * int: W = scale·(q − zeroPoint). nf4, nf3, nf2, fp4, e2m1: W = table[q]·scale, blocks of `group` over the flattened tensor.
 */
export interface PackedMatrix {
  readonly format: PackedFormat;
  readonly rows: number;
  readonly columns: number;
  /** Inputs that share a scale; 0 = the whole row ("per channel"). */
  readonly group: number;
  /** u8 */
  readonly codes: Tensor;
  /** f32 [rows, groups] for int, f32 [blocks] for a table, u8 [blocks] with double quantization */
  readonly scales: Tensor;
  /** f32 [rows, groups], int only */
  readonly zeroPoints?: Tensor;
  /** f32 [⌈blocks / 256⌉], double quantization only */
  readonly nestedScales?: Tensor;
  readonly nestedOffset?: number;
}

/** The same with handles, as the addon takes it. Only for src/tensor. */
export function toNative(packed: PackedMatrix): NativePackedWeight {
  const { format, rows, columns, group, codes, scales, zeroPoints, nestedScales, nestedOffset } = packed;
  return {
    format,
    rows,
    columns,
    group,
    codes: codes.handle,
    scales: scales.handle,
    ...(zeroPoints && { zeroPoints: zeroPoints.handle }),
    ...(nestedScales && { nestedScales: nestedScales.handle }),
    ...(nestedOffset !== undefined && { nestedOffset }),
  };
}

/** The weight as f32 [rows, columns]; the caller disposes. */
export function dequantize(packed: PackedMatrix): Tensor {
  return Tensor.adopt(native.dequantize(toNative(packed)));
}

/** u8 [rows, columns] values → packed codes, lowest bits first, each row padded to a byte. */
export function packIntegers(values: Tensor, bits: number): Tensor {
  return Tensor.adopt(native.packIntegers(values.handle, bits));
}

/** The inverse of `packIntegers`. */
export function unpackIntegers(codes: Tensor, rows: number, columns: number, bits: number): Tensor {
  return Tensor.adopt(native.unpackIntegers(codes.handle, rows, columns, bits));
}

/** The packed codes clamp(round(w/s) + z, 0, 2^bits − 1) of weight [out, in] on given grids; zero-points are rounded first. */
export function codesOnGrid(weight: Tensor, scales: Tensor, zeroPoints: Tensor, bits: number, group: number): Tensor {
  return Tensor.adopt(native.codesOnGrid(weight.handle, scales.handle, zeroPoints.handle, bits, group));
}

/** A format with a table of levels. */
export type TableFormat = Exclude<PackedFormat, `int${number}`>;

/** Codes at the nearest level of the format's table and one f32 scale per block of the flattened weight; "nf4" and "fp4" byte for byte bitsandbytes'. */
export function quantizeBlocks(
  weight: Tensor,
  format: TableFormat,
  block: number,
): { readonly codes: Tensor; readonly scales: Tensor } {
  const { codes, scales } = native.quantizeBlocks(weight.handle, format, block);
  return { codes: Tensor.adopt(codes), scales: Tensor.adopt(scales) };
}

/** Double quantization of block scales, as bitsandbytes: u8 codes, f32 scales per 256 of them, and the mean that was taken off. */
export function quantizeScalesNested(scales: Tensor): {
  readonly codes: Tensor;
  readonly scales: Tensor;
  readonly offset: number;
} {
  const nested = native.quantizeScalesNested(scales.handle);
  return { codes: Tensor.adopt(nested.codes), scales: Tensor.adopt(nested.scales), offset: nested.offset };
}
