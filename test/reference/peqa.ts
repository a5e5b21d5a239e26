/** PEQA (arXiv 2305.14152) on one linear layer, literally: the whole gradient G = ∂L/∂Ŵ exists, in float64. */

import type { IntegerGrid } from "./rtn.js";

/** Y = X·Ŵᵀ with Ŵ = s·(q − z); X [tokens, columns], Y [tokens, rows]. */
export function linear(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  tokens: number,
  rows: number,
  columns: number,
): Float64Array {
  const y = new Float64Array(tokens * rows);
  for (let t = 0; t < tokens; t++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        y[t * rows + row]! += x[t * columns + column]! * weight[row * columns + column]!;
  return y;
}

/** ∂L/∂s_{iγ} = Σ_{j∈γ} G_ij·(q_ij − z_iγ) with G = dYᵀ·X; [rows, groups]. */
export function scaleGradient(
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  grid: IntegerGrid,
  tokens: number,
  rows: number,
  columns: number,
): Float64Array {
  const groups = grid.scales.length / rows;
  const group = columns / groups;
  const gradient = new Float64Array(rows * groups);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      let g = 0;
      for (let t = 0; t < tokens; t++) g += dy[t * rows + row]! * x[t * columns + column]!;
      const cell = row * groups + Math.floor(column / group);
      gradient[cell]! += g * (grid.codes[row * columns + column]! - grid.zeroPoints[cell]!);
    }
  return gradient;
}

/** ∂L/∂X = dY·Ŵ; [tokens, columns]. */
export function inputGradient(
  dy: ArrayLike<number>,
  weight: ArrayLike<number>,
  tokens: number,
  rows: number,
  columns: number,
): Float64Array {
  const dx = new Float64Array(tokens * columns);
  for (let t = 0; t < tokens; t++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        dx[t * columns + column]! += dy[t * rows + row]! * weight[row * columns + column]!;
  return dx;
}
