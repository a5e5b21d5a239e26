import { sgdStep } from "../../tensor/optimizers.js";
import { decay, flag } from "../../options.js";
import { defineOptimizer } from "./optimizer.js";

export interface SgdOptions {
  /** Default 0.9; 0 is plain descent, which remembers nothing. */
  readonly momentum?: number;
  /** Look ahead by one more momentum (Sutskever et al. 2013). Default false. */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent as in PyTorch; the weight decay is added to the gradient:
 *
 *   g ← g + λ·p ,  m ← μ·m + g ,  p ← p − η·m   (Nesterov: p ← p − η·(g + μ·m))
 */
export const sgd = defineOptimizer<SgdOptions>({
  name: "sgd",
  rules: { momentum: decay(0.9), nesterov: flag({ fallback: false }) },
  states: (_, { shape }, { momentum }) => (momentum > 0 ? { momentum: { shape, dtype: "f32" } } : {}),
  move: sgdStep,
});
