import { createHash } from "node:crypto";
import { dequantize, type PackedFormat, type PackedMatrix } from "../tensor/packed.js";
import type { Tensor } from "../tensor/tensor.js";
import { display, formatBytes, inspect, type MimeBundle } from "../display.js";

/** Bytes of the one number that double quantization keeps beside its tensors. */
const NESTED_OFFSET_BYTES = 4;

/**
 * A weight [out, in] stored as codes, with all that decoding needs. Codes and zero-points are never written after this was
 * made; training moves scales only.
 *
 * @example
 * const packed = rtn.quantize(weight, { bits: 4, group: "channel", symmetric: false });
 * console.log(packed.bitsPerWeight, packed.codesHash());
 */
export class PackedWeight implements PackedMatrix {
  readonly format: PackedFormat;
  readonly rows: number;
  readonly columns: number;
  readonly group: number;
  readonly codes: Tensor;
  readonly scales: Tensor;
  declare readonly zeroPoints?: Tensor;
  declare readonly nestedScales?: Tensor;
  declare readonly nestedOffset?: number;

  /** Takes over the tensors of `parts`. */
  constructor(parts: PackedMatrix) {
    this.format = parts.format;
    this.rows = parts.rows;
    this.columns = parts.columns;
    this.group = parts.group;
    this.codes = parts.codes;
    this.scales = parts.scales;
    if (parts.zeroPoints !== undefined) this.zeroPoints = parts.zeroPoints;
    if (parts.nestedScales !== undefined) this.nestedScales = parts.nestedScales;
    if (parts.nestedOffset !== undefined) this.nestedOffset = parts.nestedOffset;
  }

  /** All that decoding reads: codes, scales, zero-points and the scales of scales. */
  get bytes(): number {
    const offset = this.nestedOffset === undefined ? 0 : NESTED_OFFSET_BYTES;
    return this.tensors.reduce((sum, tensor) => sum + tensor.bytes, offset);
  }

  get bitsPerWeight(): number {
    return (8 * this.bytes) / (this.rows * this.columns);
  }

  /** The weight as f32 [out, in]; the caller disposes. */
  dequantize(): Tensor {
    return dequantize(this);
  }

  /** SHA-256 of the codes and the zero-points, in hexadecimal: equal before and after a training that leaves them alone. */
  codesHash(): string {
    const hash = createHash("sha256").update(this.codes.arraySync());
    if (this.zeroPoints !== undefined) hash.update(this.zeroPoints.arraySync());
    return hash.digest("hex");
  }

  /** Another object over the same bytes, with its own life. Scales that train are copied, so that the two go separate ways. */
  share(): PackedWeight {
    return new PackedWeight({
      format: this.format,
      rows: this.rows,
      columns: this.columns,
      group: this.group,
      codes: this.codes.share(),
      scales: this.scales.share(),
      ...(this.zeroPoints && { zeroPoints: this.zeroPoints.share() }),
      ...(this.nestedScales && { nestedScales: this.nestedScales.share() }),
      ...(this.nestedOffset !== undefined && { nestedOffset: this.nestedOffset }),
    });
  }

  /** Names the owner of the bytes for the memory panel: codes are weights, the rest are scales. Returns this. */
  label(owner: string): this {
    for (const tensor of this.tensors) tensor.label(tensor === this.codes ? "weights" : "scales", owner);
    return this;
  }

  /** Frees its tensors; twice is fine. */
  dispose(): void {
    for (const tensor of this.tensors) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    const scales = this.group === 0 ? "a scale a row" : `a scale for ${this.group}`;
    const size = this.codes.disposed ? "disposed" : `${formatBytes(this.bytes)}, ${this.bitsPerWeight.toFixed(2)} bits a weight`;
    return `PackedWeight [${this.rows}, ${this.columns}] ${this.format}, ${scales}, ${size}`;
  }
  [display](): MimeBundle {
    return { "text/plain": this.toString() };
  }
  [inspect](): string {
    return this.toString();
  }

  private get tensors(): Tensor[] {
    return [this.codes, this.scales, this.zeroPoints, this.nestedScales].filter((tensor) => tensor !== undefined);
  }
}
