/** Half-quadratic quantization of one group in float64, from the authors' description and released code. */
import { roundHalfToEven } from "./rtn.js";

export interface HqqGroup {
  readonly scale: number;
  readonly zero: number;
  readonly decoded: Float64Array;
  /** mean |w − ŵ| */
  readonly error: number;
}

export function halfQuadratic(
  w: readonly number[],
  { bits, p, iterations }: { bits: number; p: number; iterations: number },
): HqqGroup {
  const top = 2 ** bits - 1;
  const [low, high] = [Math.min(...w), Math.max(...w)];
  const scale = (high - low) / top;
  const at = (zero: number): HqqGroup & { levels: number[] } => {
    const levels = w.map((value) => Math.min(top, Math.max(0, roundHalfToEven(value / scale + zero))));
    const decoded = Float64Array.from(levels, (level) => scale * (level - zero));
    return {
      scale,
      zero,
      levels,
      decoded,
      error: w.reduce((sum, value, i) => sum + Math.abs(value - decoded[i]!), 0) / w.length,
    };
  };
  let best = at(-low / scale);
  let now = best;
  let beta = 10;
  for (let i = 0; i < iterations; i++) {
    const { decoded, levels } = now;
    const zero =
      w.reduce((sum, value, j) => sum + levels[j]! - (value - shrink(value - decoded[j]!, beta, p)) / scale, 0) /
      w.length;
    now = at(zero);
    if (now.error < best.error) best = now;
    beta *= 1.01;
  }
  return best;
}

/** sign(x)·max(|x| − |x|^(p−1)/β, 0) */
export function shrink(x: number, beta: number, p: number): number {
  if (x === 0) return 0;
  return Math.sign(x) * Math.max(Math.abs(x) - Math.abs(x) ** (p - 1) / beta, 0);
}
