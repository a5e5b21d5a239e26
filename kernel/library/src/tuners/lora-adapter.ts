import type { LinearAdapter } from "../nn/linear.js";
import { Sharing } from "../nn/module.js";
import { addInPlace } from "../tensor/kernels.js";
import { dropout, loraJoin, matmul } from "../tensor/ops.js";
import type { Precision } from "../tensor/dtype.js";
import { isRecording, noGrad, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";

export interface LoraSettings {
  /** The product B·A is multiplied by alpha / rank … */
  readonly alpha: number;
  /** … or by alpha / √rank (rsLoRA). */
  readonly rankStabilized: boolean;
  /** While A trains, numbers of x become 0 with this probability on their way to it. Default 0. */
  readonly dropout?: number;
  /** Of the dropout. Default 0. */
  readonly seed?: number;
}

/** y + scaling·(dropout(x)·Aᵀ)·Bᵀ */
export class LoraAdapter implements LinearAdapter {
  readonly alpha: number;
  readonly rankStabilized: boolean;
  readonly dropout: number;
  private readonly seed: number;

  /** @param a [rank, in] f32 · @param b [out, rank] f32; both belong to the adapter */
  constructor(
    readonly a: Tensor,
    readonly b: Tensor,
    { alpha, rankStabilized, dropout: p = 0, seed = 0 }: LoraSettings,
  ) {
    this.alpha = alpha;
    this.rankStabilized = rankStabilized;
    this.dropout = p;
    this.seed = seed;
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
    return loraJoin(y, this.dropped(x), this.a, this.b, this.scaling, { precision });
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
    const { alpha, rankStabilized, dropout: p, seed } = this;
    return new LoraAdapter(shared.tensor(this.a), shared.tensor(this.b), { alpha, rankStabilized, dropout: p, seed });
  }
  dispose(): void {
    this.a.dispose();
    this.b.dispose();
  }

  /** A's version counts its updates: a mask for each step, which a checkpoint that computes the step again meets again. */
  private dropped(x: Tensor): Tensor {
    if (this.dropout === 0 || !isRecording() || !this.a.requiresGrad) return x;
    return dropout(x, { p: this.dropout, seed: this.seed, offset: this.a.version });
  }
}
