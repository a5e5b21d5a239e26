import { choice, real } from "../../options.js";
import { svd, symmetricEigen } from "../../tensor/linalg.js";
import { matmul } from "../../tensor/ops.js";
import { keep, noGrad, scope } from "../../tensor/scope.js";
import type { Tensor } from "../../tensor/tensor.js";
import { defineInitializer, type LayerStart } from "./initializer.js";
import { diagonal, difference } from "./low-rank.js";

const SPLITS = { left: 1, even: 0.5, right: 0 } as const;

export interface CloqOptions {
  /** λ ÷ the mean of H's diagonal, added to the diagonal. 0: directions that no token has are left out. Default 1e-4. */
  readonly damping?: number;
  /**
   * Which factor takes the singular values: "left" A = Σ_r·U_rᵀ·R⁻ᵀ and B = V_r (default, the paper's best), "even" both their roots, "right" B alone.
   * The product is the same; how fast each factor learns is not.
   */
  readonly split?: keyof typeof SPLITS;
}

/** Below this share of the largest eigenvalue, times their number, H has no direction: f32 holds no more. */
const EPSILON = 2 ** -23;

/**
 * CLoQ: the adapter that brings the layer's output nearest to what it was, in closed form (Deng et al. 2025, arXiv 2501.18475, Theorem 3.1).
 *
 *   min_{A,B} ‖X·(Ŵ + B·A − W)ᵀ‖_F:   RᵀR = XᵀX + λI,   U·Σ·Vᵀ = R·(W − Ŵ)ᵀ,   (B·A)ᵀ = R⁻¹·U_r·Σ_r·V_rᵀ
 *
 * What remains is √(Σ_{i>r} σᵢ²), which the report shows beside the measured error. With XᵀX = I, and for λ → ∞, this is `svd`.
 */
export const cloq = defineInitializer<CloqOptions>({
  name: "cloq",
  rules: {
    damping: real({ from: 0, fallback: 1e-4 }),
    split: choice(Object.keys(SPLITS) as (keyof typeof SPLITS)[], { fallback: "left" }),
  },
  describe: ({ damping }) => `the nearest outputs over the calibration tokens, damping ${damping}`,
  needs: () => ["original", "calibration"],
  async start({ weight, original, gram, rank }, { damping, split }) {
    using decoded = weight.dequantize();
    using missing = difference(original!, decoded);
    return await nearestOutputs(missing, gram!, rank, { damping, split });
  },
});

/** @param missing W − Ŵ [out, in] f32 · @param gram [in, in] f32; the caller disposes */
export async function nearestOutputs(
  missing: Tensor,
  gram: Tensor,
  rank: number,
  { damping, split }: Required<CloqOptions>,
): Promise<LayerStart> {
  const { root, inverse } = await roots(gram, damping);
  try {
    using turned = noGrad(() => matmul(root, missing, { transposeB: true }));
    const { u, s, vt } = await svd(turned);
    try {
      return noGrad(() => scope(() => keep(factors())));
    } finally {
      for (const part of [u, s, vt]) part.dispose();
    }

    function factors() {
      const values = Array.from(s.arraySync());
      const share = SPLITS[split];
      const left = matmul(
        u,
        diagonal(
          values.map((value) => value ** share),
          rank,
        ),
      );
      const right = diagonal(
        values.map((value) => value ** (1 - share)),
        rank,
      );
      const predicted = Math.sqrt(values.slice(rank).reduce((sum, value) => sum + value * value, 0));
      return { a: matmul(left, inverse, { transposeA: true }), b: matmul(vt, right, { transposeA: true }), predicted };
    }
  } finally {
    root.dispose();
    inverse.dispose();
  }
}

/** R = √Λ·Q and (R⁻¹)ᵀ = Q scaled by 1/√Λ, where H + λI = Qᵀ·Λ·Q; directions that H does not have are 0 in both. */
async function roots(gram: Tensor, damping: number): Promise<{ readonly root: Tensor; readonly inverse: Tensor }> {
  const { values, vectors } = await symmetricEigen(gram);
  const [n] = gram.shape as [number];
  const eigenvalues = Array.from(values.arraySync(), (value) => Math.max(value, 0));
  const lambda = (damping * eigenvalues.reduce((sum, value) => sum + value, 0)) / n;
  const cut = (eigenvalues.at(-1)! + lambda) * n * EPSILON;
  const sizes = eigenvalues.map((value) => (lambda > 0 || value > cut ? Math.sqrt(value + lambda) : 0));
  try {
    return noGrad(() =>
      scope(() =>
        keep({
          root: matmul(diagonal(sizes, n), vectors),
          inverse: matmul(
            diagonal(
              sizes.map((size) => (size === 0 ? 0 : 1 / size)),
              n,
            ),
            vectors,
          ),
        }),
      ),
    );
  } finally {
    values.dispose();
    vectors.dispose();
  }
}
