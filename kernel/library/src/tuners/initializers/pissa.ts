import { DenseWeight } from "../../nn/linear.js";
import { defineInitializer } from "./initializer.js";
import { lowRank, residual } from "./low-rank.js";

/** `pissa` has no options of its own. */
export type PissaOptions = Readonly<Record<never, never>>;

/**
 * PiSSA: the adapter starts as the weight's largest singular directions, and what is left stays below (Meng et al. 2024, arXiv 2404.02948).
 *
 *   U·S·Vᵀ = W,   B = U_r·√S_r,  A = √S_r·V_rᵀ,   below: W − B·A, and quantized again where the weight was quantized (QPiSSA)
 *
 * A dense model computes the same as before.
 */
export const pissa = defineInitializer<PissaOptions>({
  name: "pissa",
  rules: {},
  describe: () => "the weight's largest singular directions; what is left stays below",
  needs: ({ dense }) => (dense ? [] : ["original", "quantizer"]),
  async start({ weight, original, rank, requantize }) {
    const dense = weight instanceof DenseWeight;
    using decoded = dense ? weight.dequantize() : original!.alias();
    const product = await lowRank(decoded, rank);
    const rest = residual(decoded, product);
    if (dense) return { ...product, weight: new DenseWeight(rest) };
    try {
      return { ...product, weight: await requantize(rest) };
    } finally {
      rest.dispose();
    }
  },
});
