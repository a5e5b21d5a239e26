import { defineInitializer } from "./initializer.js";
import { difference, lowRank } from "./low-rank.js";

/** `svd` has no options of its own. */
export type SvdOptions = Readonly<Record<never, never>>;

/**
 * The adapter starts as the best product for what quantization took away, the codes staying as they are.
 *
 *   min_{A,B} ‖Ŵ + B·A − W‖_F:   B = U_r·√S_r,  A = √S_r·V_rᵀ,  U·S·Vᵀ = W − Ŵ        (LoftQ's step, arXiv 2310.08659, eq. 8)
 */
export const svd = defineInitializer<SvdOptions>({
  name: "svd",
  rules: {},
  describe: () => "the singular vectors of W − Ŵ",
  needs: () => ["original"],
  async start({ weight, original, rank }) {
    using decoded = weight.dequantize();
    using missing = difference(original!, decoded);
    return await lowRank(missing, rank);
  },
});
