import { UnsupportedError } from "../errors.js";
import { custom, flag, integer, real } from "../options.js";
import { Random } from "../random.js";
import { keep } from "../tensor/scope.js";
import { gaussianStart } from "./initializers/gaussian.js";
import { LoraAdapter } from "./lora-adapter.js";
import { defineTuner } from "./tuner.js";

/** Options of `lora`. */
export interface LoraOptions {
  /** Width of the two thin matrices. Default 16. */
  readonly rank?: number;
  /** The adapter's output is multiplied by alpha / rank. Default: what makes that 1. */
  readonly alpha?: number;
  /** Multiply by alpha / √rank instead, so that large ranks learn as fast (rsLoRA, arXiv 2312.03732). Default false. */
  readonly rankStabilized?: boolean;
  /** Probability with which a number of x becomes 0 on its way to A, in training alone; a mask a step. Below 1, default 0. */
  readonly dropout?: number;
  /** Of A's start and of the dropout. Default 0. */
  readonly seed?: number;
}

const DEFAULT_RANK = 16;
const LEARNING_RATE = 1e-3;

/**
 * LoRA: each chosen layer gets two thin matrices beside its frozen weight, dense or quantized (Hu et al. 2021, arXiv 2106.09685;
 * on NF4 weights: QLoRA, arXiv 2305.14314).
 *
 *   y = x·Ŵᵀ + scaling·(dropout(x)·Aᵀ)·Bᵀ,  A [rank, in] ~ N(0, 1/rank²),  B [out, rank] = 0,  scaling = alpha / rank, or alpha / √rank
 *
 * `initialize` starts A and B from something better than that.
 */
export const lora = defineTuner<LoraOptions>({
  name: "lora",
  rules: {
    rank: integer({ from: 1, fallback: DEFAULT_RANK }),
    alpha: real({ from: 0 }),
    rankStabilized: flag({ fallback: false }),
    dropout: custom<number>("a number from 0 to below 1", (p) => typeof p === "number" && p >= 0 && p < 1, 0),
    seed: integer({ fallback: 0 }),
  },
  learningRate: () => LEARNING_RATE,
  describe: (options) => {
    const { rank, alpha, rankStabilized, dropout = 0 } = complete(options);
    const extras = `${rankStabilized ? ", rank-stabilized" : ""}${dropout > 0 ? `, dropout ${dropout}` : ""}`;
    return `rank ${rank}, alpha ${alpha}${extras}; the weights below stay`;
  },
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
  attach: ({ layers }, options) => {
    const { rank, alpha, rankStabilized, dropout = 0, seed = 0 } = complete(options);
    const random = new Random(seed);
    for (const [owner, linear] of layers) {
      const { rows, columns } = linear;
      const { device } = linear.weight;
      const { a, b } = keep(gaussianStart({ rows, columns, rank, owner, device }, random.bits()));
      a.requiresGrad = true;
      b.requiresGrad = true;
      linear.adapter = new LoraAdapter(a, b, { alpha, rankStabilized, dropout, seed: random.bits() });
    }
  },
});

function complete({ rank = DEFAULT_RANK, rankStabilized = false, alpha, ...rest }: LoraOptions) {
  return { rank, rankStabilized, alpha: alpha ?? (rankStabilized ? Math.sqrt(rank) : rank), ...rest };
}
