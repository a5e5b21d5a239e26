import { createHash } from "node:crypto";
import { copy, packedLinearInt8 } from "../tensor/kernels.js";
import { addBias, packedLinear } from "../tensor/ops.js";
import { dequantize, type PackedFormat, type PackedMatrix } from "../tensor/packed.js";
import { activationsAreInt8, keep, noGrad, scope } from "../tensor/scope.js";
import type { Precision } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { Sharing } from "../nn/module.js";
import type { LinearWeight } from "../nn/linear.js";
import { display, formatBytes, inspect, type MimeBundle } from "../display.js";
import type { ScaleAdapter } from "./scale-adapter.js";

/** Bytes of the one number that double quantization keeps beside its tensors. */
const NESTED_OFFSET_BYTES = 4;

/**
 * A weight [out, in] stored as codes, with all that decoding needs. None of it is ever written after this was made; training
 * moves the scales of an adapter that lies over it.
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
  /** What a tuner changed of the grid; null where nothing. Belongs to the weight. */
  adapter: ScaleAdapter | null = null;

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

  /** All that decoding reads: codes, scales, zero-points, the scales of scales, and what an adapter adds. */
  get bytes(): number {
    const offset = this.nestedOffset === undefined ? 0 : NESTED_OFFSET_BYTES;
    return [...this.namedTensors()].reduce((sum, [, tensor]) => sum + tensor.bytes, offset);
  }

  get device(): string {
    return this.codes.device;
  }

  get bitsPerWeight(): number {
    return (8 * this.bytes) / (this.rows * this.columns);
  }

  get description(): string {
    const span = this.group === 0 ? "a scale a row" : `a scale for ${this.group}`;
    return `${this.format}, ${span}${this.nestedScales === undefined ? "" : ", double quantization"}`;
  }

  /** x [n, in] → x·Ŵᵀ [n, out] straight from the codes; gradients to x and to what the adapter trains. */
  forward(x: Tensor, precision: Precision = "f32", bias: Tensor | null = null): Tensor {
    // Not in one: the gradient of per-channel scales reads the output without bias.
    const packed = this.current();
    const y = activationsAreInt8() ? packedLinearInt8(x, packed) : packedLinear(x, packed, { precision });
    return bias === null ? y : addBias(y, bias);
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

  /** The same weight with the adapter's change folded into its own scales and zero-points: bit for bit what it computes now. */
  merged(): PackedWeight {
    return noGrad(() =>
      scope(() => {
        const { scales, zeroPoints } = this.current();
        const own = (tensor: Tensor) => copy(tensor, "scales", this.scales.owner);
        return this.twin(new Sharing(), own(scales), zeroPoints && own(zeroPoints));
      }),
    );
  }

  /** After an update: puts what trains back into its range. */
  constrain(): void {
    this.adapter?.constrain();
  }

  *namedTensors(): Generator<[string, Tensor]> {
    yield ["codes", this.codes];
    yield ["scales", this.scales];
    if (this.zeroPoints !== undefined) yield ["zero_points", this.zeroPoints];
    if (this.nestedScales !== undefined) yield ["nested_scales", this.nestedScales];
    for (const [name, tensor] of this.adapter?.namedTensors() ?? []) yield [`adapter.${name}`, tensor];
  }

  /** Another object over the same bytes, with its own life; what trains is copied, so that the two go separate ways. */
  share(shared = new Sharing()): PackedWeight {
    const twin = this.twin(
      shared,
      shared.tensor(this.scales),
      this.zeroPoints === undefined ? undefined : shared.tensor(this.zeroPoints),
    );
    twin.adapter = this.adapter?.share(shared) ?? null;
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

  private current(): PackedMatrix {
    return this.adapter?.over(this) ?? this;
  }

  /** The same codes under this grid. */
  private twin(shared: Sharing, scales: Tensor, zeroPoints: Tensor | undefined): PackedWeight {
    const { format, rows, columns, group, nestedScales, nestedOffset } = this;
    return new PackedWeight({
      format,
      rows,
      columns,
      group,
      codes: shared.tensor(this.codes),
      scales,
      ...(zeroPoints && { zeroPoints }),
      ...(nestedScales && { nestedScales: shared.tensor(nestedScales) }),
      ...(nestedOffset !== undefined && { nestedOffset }),
    });
  }
}

/** The weight itself where it is there already; otherwise its copy there, and the weight is disposed of. */
export function packedOn(weight: PackedWeight, device: string): PackedWeight {
  if (weight.device === device) return weight;
  try {
    return scope(() => keep(weight.share(new Sharing(device))));
  } finally {
    weight.dispose();
  }
}
