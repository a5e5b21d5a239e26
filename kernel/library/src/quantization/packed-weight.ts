import { createHash } from "node:crypto";
import { add, multiply, packedLinear } from "../tensor/ops.js";
import { copy } from "../tensor/kernels.js";
import { dequantize, type PackedFormat, type PackedMatrix } from "../tensor/packed.js";
import { noGrad, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { Sharing } from "../nn/module.js";
import type { LinearWeight } from "../nn/linear.js";
import { display, formatBytes, inspect, type MimeBundle } from "../display.js";

/** Bytes of the one number that double quantization keeps beside its tensors. */
const NESTED_OFFSET_BYTES = 4;

/**
 * A weight [out, in] stored as codes, with all that decoding needs. Codes and zero-points are never written after this was
 * made; training moves scales only, either themselves or through `delta`: Ŵ = s·(1 + δ)·(q − z).
 *
 * @example
 * const packed = new PackedWeight(rtn.quantize(weight, { bits: 4, group: "channel", symmetric: false }));
 * console.log(packed.bitsPerWeight, packed.codesHash());
 */
export class PackedWeight implements PackedMatrix, LinearWeight {
  readonly format: PackedFormat;
  readonly rows: number;
  readonly columns: number;
  readonly group: number;
  readonly codes: Tensor;
  readonly scales: Tensor;
  declare readonly zeroPoints?: Tensor;
  declare readonly nestedScales?: Tensor;
  declare readonly nestedOffset?: number;
  /** Relative change of the scales, of their shape; null where there is none. Belongs to the weight. */
  delta: Tensor | null = null;

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

  /** All that decoding reads: codes, scales, zero-points, the scales of scales, and `delta`. */
  get bytes(): number {
    const offset = this.nestedOffset === undefined ? 0 : NESTED_OFFSET_BYTES;
    return [...this.namedTensors()].reduce((sum, [, tensor]) => sum + tensor.bytes, offset);
  }

  get bitsPerWeight(): number {
    return (8 * this.bytes) / (this.rows * this.columns);
  }

  get description(): string {
    const span = this.group === 0 ? "a scale a row" : `a scale for ${this.group}`;
    return `${this.format}, ${span}${this.nestedScales === undefined ? "" : ", double quantization"}`;
  }

  /** x [n, in] → x·Ŵᵀ [n, out] straight from the codes; gradients to x, to scales that train and to `delta`. */
  forward(x: Tensor): Tensor {
    return packedLinear(x, this.current());
  }

  /** The weight as f32 [out, in]; the caller disposes. */
  dequantize(): Tensor {
    return noGrad(() => scope(() => dequantize(this.current())));
  }

  /** SHA-256 of the codes and the zero-points, in hexadecimal: equal before and after a training that leaves them alone. */
  codesHash(): string {
    const hash = createHash("sha256");
    for (const tensor of [this.codes, this.zeroPoints]) {
      if (tensor === undefined) continue;
      const numbers = tensor.arraySync();
      hash.update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
    }
    return hash.digest("hex");
  }

  /** Folds `delta` into the scales: exactly the same weight, with nothing left that trains. Codes are not computed anew. */
  merge(): void {
    if (this.delta === null) return;
    const merged = noGrad(() => scope(() => copy(this.current().scales, "scales", this.scales.owner)));
    if (this.scales.shared) this.scales.requiresGrad = true;
    this.scales.requiresGrad = false;
    this.scales.write(merged.arraySync());
    merged.dispose();
    this.delta.dispose();
    this.delta = null;
  }

  *namedTensors(): Generator<[string, Tensor]> {
    yield ["codes", this.codes];
    yield ["scales", this.scales];
    if (this.zeroPoints !== undefined) yield ["zero_points", this.zeroPoints];
    if (this.nestedScales !== undefined) yield ["nested_scales", this.nestedScales];
    if (this.delta !== null) yield ["delta", this.delta];
  }

  /** Another object over the same bytes, with its own life; what trains is copied, so that the two go separate ways. */
  share(shared = new Sharing()): PackedWeight {
    const twin = new PackedWeight({
      format: this.format,
      rows: this.rows,
      columns: this.columns,
      group: this.group,
      codes: shared.tensor(this.codes),
      scales: shared.tensor(this.scales),
      ...(this.zeroPoints && { zeroPoints: shared.tensor(this.zeroPoints) }),
      ...(this.nestedScales && { nestedScales: shared.tensor(this.nestedScales) }),
      ...(this.nestedOffset !== undefined && { nestedOffset: this.nestedOffset }),
    });
    if (this.delta !== null) twin.delta = shared.tensor(this.delta);
    return twin;
  }

  /** Names the owner of the bytes for the memory panel: codes are weights, the rest are scales. Returns this. */
  label(owner: string): this {
    for (const [name, tensor] of this.namedTensors()) tensor.label(name === "codes" ? "weights" : "scales", owner);
    return this;
  }

  /** Frees its tensors; twice is fine. */
  dispose(): void {
    for (const [, tensor] of this.namedTensors()) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    const size = this.codes.disposed
      ? "disposed"
      : `${formatBytes(this.bytes)}, ${this.bitsPerWeight.toFixed(2)} bits a weight`;
    return `PackedWeight [${this.rows}, ${this.columns}] ${this.description}, ${size}`;
  }
  [display](): MimeBundle {
    return { "text/plain": this.toString() };
  }
  [inspect](): string {
    return this.toString();
  }

  /** With the scales as they are now, on the tape where `delta` trains. */
  private current(): PackedMatrix {
    if (this.delta === null) return this;
    return { ...this, scales: add(this.scales, multiply(this.scales, this.delta)) };
  }
}
