import { eigen } from "./eigen.js";
import { decodeIntegers, gridRule, roundToNearest } from "./rtn.js";

type Values = ArrayLike<number>;

/** LoftQ (arXiv 2310.08659, Algorithm 1) on round to nearest, in double precision: Q_T + B_T·A_T [m, n]. */
export function loftqWeight(w: Values, m: number, n: number, rank: number, turns: number, bits: number): number[] {
  let product: readonly number[] = new Array<number>(m * n).fill(0);
  let quantized: readonly number[] = [];
  for (let turn = 1; turn <= turns; turn++) {
    const rest = Float32Array.from({ length: m * n }, (_, i) => w[i]! - product[i]!);
    const grid = roundToNearest(rest, m, n, { group: 0, rule: gridRule(bits) });
    quantized = [...decodeIntegers(grid, m, n)];
    product = bestProduct(
      Array.from({ length: m * n }, (_, i) => w[i]! - quantized[i]!),
      m,
      n,
      rank,
    );
  }
  return quantized.map((value, i) => value + product[i]!);
}

/** U_r·S_r·V_rᵀ = E·V_r·V_rᵀ, V being the eigenvectors of EᵀE. */
function bestProduct(e: readonly number[], m: number, n: number, rank: number): number[] {
  const gram = Array.from({ length: n * n }, (_, i) => {
    let sum = 0;
    for (let row = 0; row < m; row++) sum += e[row * n + Math.floor(i / n)]! * e[row * n + (i % n)]!;
    return sum;
  });
  const { vectors } = eigen(gram, n);
  return Array.from({ length: m * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    let sum = 0;
    for (const v of vectors.slice(0, rank)) {
      let along = 0;
      for (let j = 0; j < n; j++) along += e[row * n + j]! * v[j]!;
      sum += along * v[column]!;
    }
    return sum;
  });
}
