import type { DType, Precision } from "@nibble-lab/native";
import { DTypeError } from "../errors.js";

export type { Category, DType, Handle, Precision } from "@nibble-lab/native";
export type TypedArray = Float32Array | Int32Array | Int8Array | Uint8Array | Uint16Array;

/** What matrix products may round their operands to; sums are f32 either way. */
export const precisions: readonly Precision[] = ["f32", "bf16"];

/** Bytes of an element, and the array that shows it: halves appear as their bits, since Node 20 has no Float16Array. */
export const dtypes = {
  f32: { bytes: 4, view: Float32Array },
  f16: { bytes: 2, view: Uint16Array },
  bf16: { bytes: 2, view: Uint16Array },
  i32: { bytes: 4, view: Int32Array },
  i8: { bytes: 1, view: Int8Array },
  u8: { bytes: 1, view: Uint8Array },
} as const satisfies Record<DType, { bytes: number; view: new (buffer: ArrayBuffer) => TypedArray }>;

/** The bytes as the typed array of that dtype; copied where they are not aligned. */
export function viewBytes(bytes: Uint8Array, dtype: DType): TypedArray {
  const { view, bytes: width } = dtypes[dtype];
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  return new view(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / width);
}

/** The dtype whose values a typed array holds. */
export function dtypeOf(op: string, data: TypedArray | readonly number[]): DType {
  if (data instanceof Float32Array || Array.isArray(data)) return "f32";
  if (data instanceof Int32Array) return "i32";
  if (data instanceof Int8Array) return "i8";
  if (data instanceof Uint8Array) return "u8";
  throw new DTypeError(
    op,
    "The data is not in an array of a known kind. Allowed: Float32Array (f32), Int32Array (i32), Int8Array (i8), Uint8Array (u8), number[] (f32); " +
      "for f16 and bf16 give { dtype } and a Uint16Array of their bits.",
  );
}
