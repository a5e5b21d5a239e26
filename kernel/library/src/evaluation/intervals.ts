import { Random } from "../random.js";

const Z = 1.959963984540054; // 97.5 % of the normal distribution lie below

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Wilson's 95 % interval of a share   (Wilson 1927):
 *
 *   (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)
 */
export function wilson(right: number, of: number): Interval {
  const p = right / of;
  const middle = p + (Z * Z) / (2 * of);
  const spread = Z * Math.sqrt((p * (1 - p)) / of + (Z * Z) / (4 * of * of));
  const scale = 1 + (Z * Z) / of;
  // At 0 and 1 an end is the share itself, up to rounding.
  return {
    low: Math.max(0, Math.min(p, (middle - spread) / scale)),
    high: Math.min(1, Math.max(p, (middle + spread) / scale)),
  };
}

/** The middle 95 % of a statistic over resamples of items with replacement (percentile bootstrap, Efron 1979). */
export function bootstrap<T>(
  items: readonly T[],
  statistic: (sample: readonly T[]) => number,
  { resamples = 1000, seed = 0 } = {},
): Interval {
  const random = new Random(seed);
  const values = Array.from({ length: resamples }, () =>
    statistic(items.map(() => items[random.integer(items.length)]!)),
  ).sort((a, b) => a - b);
  const at = (share: number) => values[Math.round(share * (resamples - 1))]!;
  return { low: at(0.025), high: at(0.975) };
}
