/** GPTQ (arXiv 2210.17323, Algorithm 1) as an unblocked loop over columns, and HQQ and MagR, in float64, written from the papers. */
import { fitGrid, roundHalfToEven, type GridRule } from "./rtn.js";

/** [n, n], row-major. */
type Matrix = Float64Array;

export function gram(x: ArrayLike<number>, width: number): Matrix {
  const h = new Float64Array(width * width);
  for (let row = 0; row < x.length / width; row++)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) h[i * width + j]! += x[row * width + i]! * x[row * width + j]!;
  return h;
}

/** Inverse by Gauss-Jordan elimination with pivots. */
export function inverse(a: Matrix, n: number): Matrix {
  const left = Float64Array.from(a);
  const right = new Float64Array(n * n);
  for (let i = 0; i < n; i++) right[i * n + i] = 1;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column; row < n; row++)
      if (Math.abs(left[row * n + column]!) > Math.abs(left[pivot * n + column]!)) pivot = row;
    for (const m of [left, right])
      for (let j = 0; j < n; j++) {
        const kept = m[column * n + j]!;
        m[column * n + j] = m[pivot * n + j]!;
        m[pivot * n + j] = kept;
      }
    const size = left[column * n + column]!;
    for (const m of [left, right]) for (let j = 0; j < n; j++) m[column * n + j]! /= size;
    for (let row = 0; row < n; row++) {
      if (row === column) continue;
      const factor = left[row * n + column]!;
      for (const m of [left, right]) for (let j = 0; j < n; j++) m[row * n + j]! -= factor * m[column * n + j]!;
    }
  }
  return right;
}

/** Upper triangular U with UᵀU = a: Cholesky's, transposed. */
export function upperCholesky(a: Matrix, n: number): Matrix {
  const upper = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = i; j < n; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < i; k++) sum -= upper[k * n + i]! * upper[k * n + j]!;
      upper[i * n + j] = i === j ? Math.sqrt(sum) : sum / upper[i * n + i]!;
    }
  return upper;
}

export interface GptqRule extends GridRule {
  /** Columns that share a scale. */
  readonly group: number;
  readonly damping: number;
  readonly actOrder?: boolean;
  readonly staticGroups?: boolean;
  /** A planted mistake: which row of U the update takes, relative to the right one. */
  readonly slip?: number;
}

/** The decoded weight [rows, columns]. */
export function gptq(
  weight: ArrayLike<number>,
  rows: number,
  columns: number,
  h: Matrix,
  rule: GptqRule,
): Float64Array {
  const w = Float64Array.from({ length: rows * columns }, (_, i) => weight[i]!);
  const damped = Float64Array.from(h);
  for (let j = 0; j < columns; j++) {
    if (h[j * columns + j] !== 0) continue;
    damped[j * columns + j] = 1;
    for (let row = 0; row < rows; row++) w[row * columns + j] = 0;
  }
  const diagonal = Array.from({ length: columns }, (_, j) => damped[j * columns + j]!);
  const lambda = (rule.damping * diagonal.reduce((a, b) => a + b, 0)) / columns;
  const order = [...diagonal.keys()];
  if (rule.actOrder) order.sort((a, b) => diagonal[b]! - diagonal[a]!);
  const permuted = new Float64Array(columns * columns);
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < columns; j++)
      permuted[i * columns + j] = damped[order[i]! * columns + order[j]!]! + (i === j ? lambda : 0);
  const upper = upperCholesky(inverse(permuted, columns), columns);
  const decoded = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const values = w.subarray(row * columns, (row + 1) * columns);
    const fit = (group: number) =>
      fitGrid(Array.from(values.subarray(group * rule.group, (group + 1) * rule.group)), rule);
    const early = Array.from({ length: columns / rule.group }, (_, group) => fit(group));
    for (let step = 0; step < columns; step++) {
      const column = order[step]!;
      const group = Math.floor(column / rule.group);
      if (!rule.actOrder && !rule.staticGroups && column % rule.group === 0) early[group] = fit(group);
      const { scale, zero } = early[group]!;
      const level = Math.min(rule.top, Math.max(rule.bottom, roundHalfToEven(values[column]! / scale) + zero));
      decoded[row * columns + column] = scale * (level - zero);
      const error = (values[column]! - decoded[row * columns + column]!) / upper[step * columns + step]!;
      const source = Math.min(columns - 1, Math.max(0, step + (rule.slip ?? 0)));
      for (let later = step + 1; later < columns; later++)
        values[order[later]!]! -= error * upper[source * columns + later]!;
    }
  }
  return decoded;
}

/** tr(ΔHΔᵀ), Δ = a − b. */
export function outputError(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  rows: number,
  columns: number,
  h: Matrix,
): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const delta = Array.from({ length: columns }, (_, j) => a[row * columns + j]! - b[row * columns + j]!);
    for (let i = 0; i < columns; i++)
      for (let j = 0; j < columns; j++) sum += delta[i]! * h[i * columns + j]! * delta[j]!;
  }
  return sum;
}
