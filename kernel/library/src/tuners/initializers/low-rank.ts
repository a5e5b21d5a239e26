import { addInPlace } from "../../tensor/kernels.js";
import { svd } from "../../tensor/linalg.js";
import { matmul } from "../../tensor/ops.js";
import { keep, noGrad, scope } from "../../tensor/scope.js";
import { Tensor } from "../../tensor/tensor.js";

/** A product B·A and what it leaves out. */
export interface LowRank {
  /** [rank, in] */
  readonly a: Tensor;
  /** [out, rank] */
  readonly b: Tensor;
}

/**
 * The best product of that rank for a matrix [out, in] in the Frobenius norm (Eckart and Young 1936), its singular values shared out
 * evenly: B = U_r·√S_r, A = √S_r·V_rᵀ. Singular values beyond the matrix's own rank count as 0. The caller disposes.
 */
export async function lowRank(matrix: Tensor, rank: number): Promise<LowRank> {
  const { u, s, vt } = await svd(matrix);
  try {
    return noGrad(() =>
      scope(() => {
        const roots = diagonal(Array.from(s.arraySync(), Math.sqrt), rank);
        return { a: keep(matmul(roots, vt, { transposeA: true })), b: keep(matmul(u, roots)) };
      }),
    );
  } finally {
    for (const part of [u, s, vt]) part.dispose();
  }
}

/** diag(values) [values.length, columns], cut off or filled up with zeros. */
export function diagonal(values: readonly number[], columns: number): Tensor {
  const numbers = new Float32Array(values.length * columns);
  for (let i = 0; i < Math.min(values.length, columns); i++) numbers[i * columns + i] = values[i]!;
  return Tensor.from(numbers, [values.length, columns], { category: "workspace", owner: "initialize" });
}

/** a − b, the caller disposes. */
export function difference(a: Tensor, b: Tensor): Tensor {
  return keep(subtracted(a, b));
}

function subtracted(a: Tensor, b: Tensor): Tensor {
  const result = Tensor.zeros(a.shape, { category: "workspace", owner: "initialize" });
  addInPlace(result, a);
  addInPlace(result, b, -1);
  return result;
}

/** W − B·A, the caller disposes. */
export function residual(weight: Tensor, { a, b }: LowRank): Tensor {
  return noGrad(() => scope(() => keep(subtracted(weight, matmul(b, a)))));
}
