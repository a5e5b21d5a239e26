import { eigen } from "./eigen.js";

// CLoQ (arXiv 2501.18475, Theorem 3.1) in double precision, through the Cholesky factor of H instead of its eigenvalues: any square
// root gives the same product.

type Values = ArrayLike<number>;

/** H = XᵀX [n, n] of x [tokens, n]. */
export function gramOf(x: Values, n: number): number[] {
  return Array.from({ length: n * n }, (_, i) => {
    let sum = 0;
    for (let t = 0; t < x.length; t += n) sum += x[t + Math.floor(i / n)]! * x[t + (i % n)]!;
    return sum;
  });
}

/** ‖X·Eᵀ‖ for x [tokens, n], e [m, n]. */
export function outputDistance(x: Values, e: Values, m: number, n: number): number {
  let sum = 0;
  for (let t = 0; t < x.length; t += n) {
    for (let row = 0; row < m; row++) {
      let y = 0;
      for (let j = 0; j < n; j++) y += x[t + j]! * e[row * n + j]!;
      sum += y * y;
    }
  }
  return Math.sqrt(sum);
}

/** Singular values of X·Eᵀ [tokens, m], falling: those of R·Eᵀ. */
export function singularValues(e: Values, x: Values, m: number, n: number): number[] {
  return eigen(outputGram(e, x, m, n), m).values.map((value) => Math.sqrt(Math.max(value, 0)));
}

/** The product B·A [m, n] of rank r that minimizes ‖X·(E − BA)ᵀ‖: V_r·V_rᵀ·E, where V are the right singular vectors of X·Eᵀ. */
export function cloqProduct(e: Values, x: Values, m: number, n: number, r: number): number[] {
  const { vectors } = eigen(outputGram(e, x, m, n), m);
  return Array.from({ length: m * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    let sum = 0;
    for (let k = 0; k < r; k++) {
      let along = 0;
      for (let j = 0; j < m; j++) along += vectors[k]![j]! * e[j * n + column]!;
      sum += vectors[k]![row]! * along;
    }
    return sum;
  });
}

/** (X·Eᵀ)ᵀ·(X·Eᵀ) = E·H·Eᵀ [m, m] */
function outputGram(e: Values, x: Values, m: number, n: number): number[] {
  const outputs = Array.from({ length: (x.length / n) * m }, (_, i) => {
    const [t, row] = [Math.floor(i / m), i % m];
    let y = 0;
    for (let j = 0; j < n; j++) y += x[t * n + j]! * e[row * n + j]!;
    return y;
  });
  return gramOf(outputs, m);
}
