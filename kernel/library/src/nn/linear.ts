import { Module, type Sharing, type TensorHolder } from "./module.js";
import { linear } from "../tensor/ops.js";
import { copy } from "../tensor/kernels.js";
import type { Precision } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";

/** How a linear layer stores its weight [rows, columns] = [out, in]: dense, or packed into codes. */
export interface LinearWeight extends TensorHolder {
  readonly rows: number;
  readonly columns: number;
  /** Where it is, and what is added to it. */
  readonly device: string;
  /** For people: "f32", "int2 per channel", "nf4, blocks of 64, double quantization". */
  readonly description: string;
  /** Bytes of everything it holds. */
  readonly bytes: number;
  /** x [n, in] → x·Wᵀ + bias [n, out], differentiable. */
  forward(x: Tensor, precision?: Precision, bias?: Tensor | null): Tensor;
  /** The weight as f32 [out, in], its own bytes; the caller disposes. */
  dequantize(): Tensor;
  share(shared: Sharing): LinearWeight;
  /** Called after each update: puts what trains back into its range, where it has one. */
  constrain?(): void;
  /** SHA-256 of its integer codes and zero-points, where it has some. */
  codesHash?(): string;
}

/** What a tuner adds to a linear layer. */
export interface LinearAdapter extends TensorHolder {
  readonly description: string;
  /** y [n, out] is the layer's own output for x [n, in], and may be written in place. */
  apply(x: Tensor, y: Tensor, precision?: Precision): Tensor;
  share(shared: Sharing): LinearAdapter;
}

/** A weight as plain f32 numbers. */
export class DenseWeight implements LinearWeight {
  readonly description = "f32";

  /** @param tensor [out, in] f32; belongs to the weight from here on */
  constructor(readonly tensor: Tensor) {}

  get rows(): number {
    return this.tensor.shape[0]!;
  }
  get columns(): number {
    return this.tensor.shape[1]!;
  }
  get device(): string {
    return this.tensor.device;
  }
  get bytes(): number {
    return this.tensor.bytes;
  }
  forward(x: Tensor, precision: Precision = "f32", bias: Tensor | null = null): Tensor {
    return linear(x, this.tensor, { precision, ...(bias && { bias }) });
  }
  dequantize(): Tensor {
    return copy(this.tensor, "workspace", "dequantize");
  }
  *namedTensors(): Generator<[string, Tensor]> {
    yield ["", this.tensor];
  }
  share(shared: Sharing): DenseWeight {
    return new DenseWeight(shared.tensor(this.tensor));
  }
  dispose(): void {
    this.tensor.dispose();
  }
}

/** y = x·Wᵀ + bias, then what the adapter adds. */
export class Linear extends Module {
  adapter: LinearAdapter | null = null;
  /** What its products multiply; its model sets it. */
  precision: Precision = "f32";

  /** @param bias [out] f32 */
  constructor(
    public weight: LinearWeight,
    public bias: Tensor | null = null,
  ) {
    super();
  }

  get rows(): number {
    return this.weight.rows;
  }
  get columns(): number {
    return this.weight.columns;
  }

  /** Puts another weight in place and disposes of the old one. */
  replaceWeight(weight: LinearWeight): void {
    const old = this.weight;
    this.weight = weight;
    if (old !== weight) old.dispose();
  }

  /** x [n, in] → [n, out] */
  forward(x: Tensor): Tensor {
    const y = this.weight.forward(x, this.precision, this.bias);
    return this.adapter === null ? y : this.adapter.apply(x, y, this.precision);
  }
}
