import { integer, real } from "../options.js";
import { globalNorm } from "../tensor/kernels.js";
import { reduceMagnitude } from "../tensor/quantize.js";
import { definePreprocessor } from "./preprocessor.js";

/** Options of `magr`. */
export interface MagrOptions {
  /**
   * The penalty on the largest magnitude, as a share of the weight's root mean square. Default 0.05 for whole rows, 0.005 for groups: the
   * paper's 0.001 and 0.0001 where the root mean square is 0.02; 0 takes the default.
   */
  readonly alpha?: number;
  /** Steps of proximal gradient descent. Default 200, the paper's. */
  readonly iterations?: number;
}

const ALPHA = { row: 0.05, group: 0.005 } as const;

/**
 * MagR: weights of smaller magnitude with nearly the same outputs, which are then quantized (Zhang et al. 2024, arXiv 2406.00800).
 *
 *   min_W̃ ½‖X·(W̃ − W)ᵀ‖²/λ + α·‖W̃‖∞ per row or group, λ the largest eigenvalue of H = XᵀX
 *   V = W̃ − (W̃ − W)·H/λ,   W̃ = V − α·Proj_{‖·‖₁ ≤ 1}(V/α)   (that is: V clamped to the level t with Σ max(|V| − t, 0) = α)
 *
 * H is the Gram matrix of all calibration tokens (the released code takes the last sequence's).
 */
export const magr = definePreprocessor<MagrOptions>({
  name: "magr",
  rules: {
    alpha: real({ from: 0, fallback: 0 }),
    iterations: integer({ from: 1, to: 10_000, fallback: 200 }),
  },
  describe: () => "MagR",
  async apply(weight, { gram, job }, group, { alpha, iterations }) {
    const share = alpha === 0 ? (group === 0 ? ALPHA.row : ALPHA.group) : alpha;
    const rootMeanSquare = globalNorm([weight]) / Math.sqrt(weight.size);
    return reduceMagnitude(weight, gram, { group, alpha: share * rootMeanSquare, iterations }, job);
  },
});
