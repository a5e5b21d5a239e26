import { lionStep } from "../../tensor/optimizers.js";
import { decay } from "../../options.js";
import { defineOptimizer } from "./optimizer.js";

export interface LionOptions {
  /** Share of the momentum in the direction. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the momentum. Default 0.99. */
  readonly beta2?: number;
}

/**
 * Lion (Chen et al. 2023, Algorithm 2): every number moves by the learning rate, so take a third to a tenth of AdamW's.
 *
 *   p ← p·(1−η·λ) − η·sign(β1·m + (1−β1)·g) ,  m ← β2·m + (1−β2)·g
 *
 * One momentum in f32: 4 bytes a number.
 */
export const lion = defineOptimizer<LionOptions>({
  name: "lion",
  rules: { beta1: decay(0.9), beta2: decay(0.99) },
  states: (_, { shape }) => ({ momentum: { shape, dtype: "f32" } }),
  move: lionStep,
});
