import { adamwStep } from "../../tensor/optimizers.js";
import { decay, real } from "../../options.js";
import { defineOptimizer } from "./optimizer.js";

export interface AdamWOptions {
  /** Decay of the first moment. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment. Default 0.999. */
  readonly beta2?: number;
  /** Added after the square root. Default 1e-8. */
  readonly epsilon?: number;
}

export const adamwRules = {
  beta1: decay(0.9),
  beta2: decay(0.999),
  epsilon: real({ from: 0, fallback: 1e-8 }),
};

/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter 2019, Algorithm 2):
 *
 *   m ← β1·m + (1−β1)·g ,  v ← β2·v + (1−β2)·g² ,  p ← p·(1−η·λ) − η·m̂ / (√v̂ + ε)
 *
 * Both moments are f32: 8 bytes a number.
 */
export const adamw = defineOptimizer<AdamWOptions>({
  name: "adamw",
  rules: adamwRules,
  states: (_, { shape }) => ({ first: { shape, dtype: "f32" }, second: { shape, dtype: "f32" } }),
  move: adamwStep,
});
