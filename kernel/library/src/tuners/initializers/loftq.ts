import { integer } from "../../options.js";
import { defineInitializer } from "./initializer.js";
import { difference, lowRank, residual } from "./low-rank.js";

export interface LoftqOptions {
  /** How often quantization and adapter are fitted to each other. Default 5. */
  readonly iterations?: number;
}

/**
 * LoftQ: quantization and adapter fitted to each other in turns (Li et al. 2023, arXiv 2310.08659, Algorithm 1).
 *
 *   B₀A₀ = 0;   for t = 1 … T:  Q_t = q(W − B_{t−1}·A_{t−1}),   B_t = U_r·√S_r,  A_t = √S_r·V_rᵀ,  U·S·Vᵀ = W − Q_t
 *
 * q is how the model is quantized. The released code, and peft's, forget the adapter's scaling (alpha / rank) and so under-compensate
 * where it is not 1; here scaling·B·A is what was fitted.
 */
export const loftq = defineInitializer<LoftqOptions>({
  name: "loftq",
  rules: { iterations: integer({ from: 1, fallback: 5 }) },
  describe: ({ iterations }) => `quantization and adapter in turns, ${iterations} of them`,
  needs: () => ["original", "quantizer"],
  async start({ original, rank, requantize }, { iterations }) {
    let weight = await requantize(original!);
    let product = await bestFor(weight);
    for (let turn = 2; turn <= iterations; turn++) {
      using rest = residual(original!, product);
      for (const old of [product.a, product.b, weight]) old.dispose();
      weight = await requantize(rest);
      product = await bestFor(weight);
    }
    return { ...product, weight };

    async function bestFor(quantized: typeof weight) {
      using decoded = quantized.dequantize();
      using missing = difference(original!, decoded);
      return await lowRank(missing, rank);
    }
  },
});
