/** AWQ (arXiv 2306.00978) in float64: the scale search of one layer by itself, and the clip search, as the released code does them. */
import { outputError } from "./gptq.js";
import { decodeIntegers, roundToNearest, type GridRule } from "./rtn.js";

interface Shape {
  readonly rows: number;
  readonly columns: number;
  /** Columns that share a scale. */
  readonly group: number;
}

function rounded(weight: ArrayLike<number>, { rows, columns, group }: Shape, rule: GridRule): Float64Array {
  return decodeIntegers(roundToNearest(weight, rows, columns, { group, rule }), rows, columns);
}

/** s = mean|x|^r / √(max·min), each power at least 1e-4. */
export function scalesOf(x: ArrayLike<number>, columns: number, ratio: number): Float64Array {
  const tokens = x.length / columns;
  const powers = Float64Array.from({ length: columns }, (_, j) => {
    let sum = 0;
    for (let token = 0; token < tokens; token++) sum += Math.abs(x[token * columns + j]!);
    return Math.max((sum / tokens) ** ratio, 1e-4);
  });
  const middle = Math.sqrt(Math.max(...powers) * Math.min(...powers));
  return powers.map((power) => power / middle);
}

/** ‖X·(quant(W·diag(s))·diag(s)⁻¹ − W)ᵀ‖² for each ratio 0, 1/n, … (n − 1)/n. */
export function scaleLosses(
  x: ArrayLike<number>,
  h: Float64Array,
  weight: ArrayLike<number>,
  shape: Shape,
  rule: GridRule,
  ratios: number,
): number[] {
  const { rows, columns } = shape;
  return Array.from({ length: ratios }, (_, step) => {
    const s = scalesOf(x, columns, step / ratios);
    const scaled = Float32Array.from({ length: rows * columns }, (_, i) => weight[i]! * s[i % columns]!);
    const back = rounded(scaled, shape, rule).map((value, i) => value / s[i % columns]!);
    return outputError(back, weight, rows, columns, h);
  });
}

/** Each group clamped to the share 1, .95, … .55 of its largest magnitude at which Δ·H_gg·Δᵀ is least; those losses, too. */
export function clip(weight: ArrayLike<number>, h: Float64Array, { rows, columns, group }: Shape, rule: GridRule) {
  const clipped = Float32Array.from({ length: rows * columns }, (_, i) => weight[i]!);
  let total = 0;
  for (let row = 0; row < rows; row++)
    for (let start = 0; start < columns; start += group) {
      const at = row * columns + start;
      const values = Array.from({ length: group }, (_, j) => weight[at + j]!);
      const inner = Float64Array.from(
        { length: group * group },
        (_, i) => h[(start + Math.floor(i / group)) * columns + start + (i % group)]!,
      );
      const largest = Math.max(...values.map(Math.abs));
      const tried = Array.from({ length: 10 }, (_, step) => {
        const limit = Math.fround(largest * (1 - step / 20));
        const clamped = values.map((value) => Math.max(-limit, Math.min(limit, value)));
        const decoded = rounded(clamped, { rows: 1, columns: group, group }, rule);
        return { clamped, loss: outputError(decoded, values, 1, group, inner) };
      });
      const best = tried.reduce((a, b) => (b.loss < a.loss ? b : a));
      clipped.set(best.clamped, at);
      total += best.loss;
    }
  return { clipped, loss: total };
}
