import { UnsupportedError } from "../errors.js";
import { Sharing } from "../nn/module.js";
import type { LinearAdapter } from "../nn/linear.js";
import { integer, real } from "../options.js";
import { Random } from "../random.js";
import { loraJoin } from "../tensor/ops.js";
import { keep } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { gaussian } from "./initializers/gaussian.js";
import { defineTuner } from "./tuner.js";

/** Options of `lora`. */
export interface LoraOptions {
  /** Width of the two thin matrices. Default 16. */
  readonly rank?: number;
  /** The adapter's output is multiplied by alpha / rank. Default: the rank, so by 1. */
  readonly alpha?: number;
  /** Default 0. */
  readonly seed?: number;
}

const DEFAULT_RANK = 16;
const LEARNING_RATE = 1e-3;

/**
 * LoRA: each chosen layer gets two thin matrices beside its frozen weight, dense or quantized (Hu et al. 2021, arXiv 2106.09685;
 * on NF4 weights: QLoRA, arXiv 2305.14314).
 *
 *   y = x·Ŵᵀ + (alpha / rank)·(x·Aᵀ)·Bᵀ,  A [rank, in] ~ N(0, 1/rank²),  B [out, rank] = 0
 */
export const lora = defineTuner<LoraOptions>({
  name: "lora",
  rules: {
    rank: integer({ from: 1, fallback: DEFAULT_RANK }),
    alpha: real({ from: 0 }),
    seed: integer({ fallback: 0 }),
  },
  learningRate: () => LEARNING_RATE,
  describe: ({ rank = DEFAULT_RANK, alpha = rank }) => `rank ${rank}, alpha ${alpha}; the weights below stay`,
  check: ({ layers }) => {
    for (const [name, { adapter }] of layers) {
      if (adapter === null) continue;
      throw new UnsupportedError(
        "tune",
        `${name} has an adapter already (${adapter.description}). Tune a model without one, or choose other targets.`,
        { layer: name },
      );
    }
  },
  attach: ({ layers }, { rank = DEFAULT_RANK, alpha = rank, seed = 0 }) => {
    const random = new Random(seed);
    for (const [owner, linear] of layers) {
      const { rows, columns } = linear;
      const { a, b } = keep(gaussian({ rows, columns, rank, owner }, random.bits()));
      a.requiresGrad = true;
      b.requiresGrad = true;
      linear.adapter = new LoraAdapter(a, b, alpha);
    }
  },
});

/** y + (alpha / rank)·(x·Aᵀ)·Bᵀ */
export class LoraAdapter implements LinearAdapter {
  /** @param a [rank, in] f32 · @param b [out, rank] f32; both belong to the adapter */
  constructor(
    readonly a: Tensor,
    readonly b: Tensor,
    readonly alpha: number,
  ) {}

  get rank(): number {
    return this.a.shape[0]!;
  }
  get scaling(): number {
    return this.alpha / this.rank;
  }
  get description(): string {
    return `lora of rank ${this.rank}`;
  }

  apply(x: Tensor, y: Tensor): Tensor {
    return loraJoin(y, x, this.a, this.b, this.scaling);
  }
  *namedTensors(): Generator<[string, Tensor]> {
    yield ["lora_A", this.a];
    yield ["lora_B", this.b];
  }
  share(shared = new Sharing()): LoraAdapter {
    return new LoraAdapter(shared.tensor(this.a), shared.tensor(this.b), this.alpha);
  }
  dispose(): void {
    this.a.dispose();
    this.b.dispose();
  }
}
