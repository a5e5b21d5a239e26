/** MagR (arXiv 2406.00800) in float64: proximal gradient descent, the proximal map by Duchi's projection onto the ℓ1 ball. */

/** The nearest point with Σ|x| ≤ radius (Duchi et al. 2008, by sorting). */
export function projectOntoL1Ball(v: readonly number[], radius: number): number[] {
  if (v.reduce((sum, x) => sum + Math.abs(x), 0) <= radius) return [...v];
  const sorted = v.map(Math.abs).sort((a, b) => b - a);
  let sum = 0;
  let threshold = 0;
  for (const [i, size] of sorted.entries()) {
    sum += size;
    if (size - (sum - radius) / (i + 1) > 0) threshold = (sum - radius) / (i + 1);
  }
  return v.map((x) => Math.sign(x) * Math.max(Math.abs(x) - threshold, 0));
}

/** prox of α·‖·‖∞, by Moreau: v − α·Proj(v/α). */
export function proxOfLargest(v: readonly number[], alpha: number): number[] {
  const projected = projectOntoL1Ball(
    v.map((x) => x / alpha),
    1,
  );
  return v.map((x, i) => x - alpha * projected[i]!);
}

/** @param h [columns, columns] · @param lambda its largest eigenvalue · @param group columns that are penalized together */
export function reduceMagnitude(
  weight: ArrayLike<number>,
  rows: number,
  columns: number,
  h: ArrayLike<number>,
  { lambda, alpha, iterations, group }: { lambda: number; alpha: number; iterations: number; group: number },
): Float64Array {
  const reduced = Float64Array.from({ length: rows * columns }, (_, i) => weight[i]!);
  for (let iteration = 0; iteration < iterations; iteration++)
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      const moved = Array.from({ length: columns }, (_, j) => reduced[start + j]! - weight[start + j]!);
      const v = moved.map((_, j) => {
        const gradient = moved.reduce((sum, difference, i) => sum + difference * h[i * columns + j]!, 0);
        return reduced[start + j]! - gradient / lambda;
      });
      for (let from = 0; from < columns; from += group)
        reduced.set(proxOfLargest(v.slice(from, from + group), alpha), start + from);
    }
  return reduced;
}
