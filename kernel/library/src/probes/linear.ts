/** A direction and a threshold. */
export interface LinearProbe {
  /** In units of the features. */
  readonly weights: Float64Array;
  readonly bias: number;
}

const ITERATIONS = 400;
const STEP = 0.5;
const DEVIATION_EPS = 1e-8; // below this a feature counts as constant

/**
 * Logistic regression on standardized features with an L2 penalty, by full-batch gradient descent in f64:
 *
 *   mean of log(1 + exp(−y·(w·x + b))) + λ/2·|w|² ,  y = ±1
 *
 * Deterministic: it begins at zero and takes a fixed number of steps.
 *
 * @param features one row a point, all of one length · @param labels one a row
 */
export function fitLinearProbe(
  features: readonly ArrayLike<number>[],
  labels: readonly boolean[],
  { penalty = 0.01 } = {},
): LinearProbe {
  const width = features[0]!.length;
  const { means, deviations } = moments(features, width);
  const rows = features.map((row) => Float64Array.from(means, (mean, i) => (row[i]! - mean) / deviations[i]!));
  const weights = new Float64Array(width);
  let bias = 0;
  // Standardized features: the curvature along their common direction is at most width / 4.
  const step = STEP / (width / 4 + penalty);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const slope = weights.map((weight) => penalty * weight);
    let biasSlope = 0;
    rows.forEach((row, point) => {
      const error = (sigmoid(dot(row, weights) + bias) - (labels[point]! ? 1 : 0)) / rows.length;
      for (let i = 0; i < width; i++) slope[i]! += error * row[i]!;
      biasSlope += error;
    });
    for (let i = 0; i < width; i++) weights[i]! -= step * slope[i]!;
    bias -= STEP * biasSlope;
  }
  const scaled = weights.map((weight, i) => weight / deviations[i]!);
  return { weights: scaled, bias: bias - dot(means, scaled) };
}

/** On which side of the probe a point is. */
export function probeSays({ weights, bias }: LinearProbe, point: ArrayLike<number>): boolean {
  return dot(point, weights) + bias > 0;
}

function moments(features: readonly ArrayLike<number>[], width: number) {
  const means = new Float64Array(width);
  const deviations = new Float64Array(width);
  for (const row of features) for (let i = 0; i < width; i++) means[i]! += row[i]! / features.length;
  for (const row of features)
    for (let i = 0; i < width; i++) deviations[i]! += (row[i]! - means[i]!) ** 2 / features.length;
  return { means, deviations: deviations.map((variance) => Math.max(Math.sqrt(variance), DEVIATION_EPS)) };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
