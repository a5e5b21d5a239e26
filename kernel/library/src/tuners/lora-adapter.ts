import type { LinearAdapter } from "../nn/linear.js";
import { Sharing } from "../nn/module.js";
import { addInPlace } from "../tensor/kernels.js";
import { loraJoin, matmul } from "../tensor/ops.js";
import type { Precision } from "../tensor/dtype.js";
import { noGrad, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";

/** What the product B·A is multiplied by: alpha / rank, or alpha / √rank where it is rank-stabilized (rsLoRA). */
export interface LoraScaling {
  readonly alpha: number;
  readonly rankStabilized: boolean;
}

/** y + scaling·(x·Aᵀ)·Bᵀ */
export class LoraAdapter implements LinearAdapter {
  readonly alpha: number;
  readonly rankStabilized: boolean;

  /** @param a [rank, in] f32 · @param b [out, rank] f32; both belong to the adapter */
  constructor(
    readonly a: Tensor,
    readonly b: Tensor,
    { alpha, rankStabilized }: LoraScaling,
  ) {
    this.alpha = alpha;
    this.rankStabilized = rankStabilized;
  }

  get rank(): number {
    return this.a.shape[0]!;
  }
  get scaling(): number {
    return this.alpha / (this.rankStabilized ? Math.sqrt(this.rank) : this.rank);
  }
  get description(): string {
    return `lora of rank ${this.rank}`;
  }

  apply(x: Tensor, y: Tensor, precision: Precision = "f32"): Tensor {
    return loraJoin(y, x, this.a, this.b, this.scaling, { precision });
  }
  /** weight [out, in] += sign·scaling·B·A, in place. */
  addTo(weight: Tensor, sign: 1 | -1 = 1): void {
    noGrad(() => scope(() => addInPlace(weight, matmul(this.b, this.a), sign * this.scaling)));
  }
  *namedTensors(): Generator<[string, Tensor]> {
    yield ["lora_A", this.a];
    yield ["lora_B", this.b];
  }
  share(shared = new Sharing()): LoraAdapter {
    return new LoraAdapter(shared.tensor(this.a), shared.tensor(this.b), this);
  }
  dispose(): void {
    this.a.dispose();
    this.b.dispose();
  }
}
