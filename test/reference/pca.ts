/** Principal components by plain Jacobi rotations of the covariance, float64. */

export interface ReferencePca {
  readonly mean: Float64Array;
  /** [components][columns], unit length; each one's largest |entry| is positive. */
  readonly components: Float64Array[];
  /** Of the data along each component, divided by n − 1. */
  readonly variances: number[];
  readonly totalVariance: number;
}

export function referencePca(x: ArrayLike<number>, rows: number, columns: number, components: number): ReferencePca {
  const mean = new Float64Array(columns);
  for (let i = 0; i < rows * columns; i++) mean[i % columns]! += x[i]! / rows;
  const covariance = Array.from({ length: columns }, () => new Float64Array(columns));
  for (let row = 0; row < rows; row++)
    for (let a = 0; a < columns; a++)
      for (let b = 0; b < columns; b++)
        covariance[a]![b]! += ((x[row * columns + a]! - mean[a]!) * (x[row * columns + b]! - mean[b]!)) / (rows - 1);
  const { values, vectors } = jacobiEigen(covariance);
  const order = values.map((_, i) => i).sort((a, b) => values[b]! - values[a]!);
  return {
    mean,
    components: order.slice(0, components).map((i) => orient(vectors.map((row) => row[i]!))),
    variances: order.slice(0, components).map((i) => values[i]!),
    totalVariance: values.reduce((sum, value) => sum + value, 0),
  };
}

/** Cyclic Jacobi: rotate every off-diagonal entry away until nothing is left. Columns of `vectors` are the eigenvectors. */
export function jacobiEigen(symmetric: readonly Float64Array[]): { values: number[]; vectors: Float64Array[] } {
  const n = symmetric.length;
  const a = symmetric.map((row) => Float64Array.from(row));
  const v = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 100; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        off += a[p]![q]! ** 2;
        if (a[p]![q]! === 0) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++)
          [a[k]![p], a[k]![q]] = [c * a[k]![p]! - s * a[k]![q]!, s * a[k]![p]! + c * a[k]![q]!];
        for (let k = 0; k < n; k++)
          [a[p]![k], a[q]![k]] = [c * a[p]![k]! - s * a[q]![k]!, s * a[p]![k]! + c * a[q]![k]!];
        for (let k = 0; k < n; k++)
          [v[k]![p], v[k]![q]] = [c * v[k]![p]! - s * v[k]![q]!, s * v[k]![p]! + c * v[k]![q]!];
      }
    if (off < 1e-30) break;
  }
  return { values: a.map((row, i) => row[i]!), vectors: v };
}

function orient(vector: number[]): Float64Array {
  const largest = vector.reduce((best, entry) => (Math.abs(entry) > Math.abs(best) ? entry : best), 0);
  return Float64Array.from(vector, (entry) => (largest < 0 ? -entry : entry));
}
