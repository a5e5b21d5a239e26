/** Round to nearest, written from its definition in float64; scales are f32, since that is what is stored and divided by. */

export interface IntegerGrid {
  /** [rows · columns], 0 … 2^bits − 1. */
  readonly codes: Int32Array;
  /** [rows · groups]. */
  readonly scales: Float64Array;
  /** [rows · groups]. */
  readonly zeroPoints: Float64Array;
}

/** Ties to even, as IEEE 754 and PyTorch round. */
export function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** What defines a grid but the weights. */
export interface GridRule {
  /** The largest code. */
  readonly top: number;
  /** The smallest code. */
  readonly bottom: number;
  readonly symmetry: "asymmetric" | "symmetric" | "restricted";
  readonly search: "minmax" | "mse";
}

export function gridRule(
  bits: number,
  symmetry: GridRule["symmetry"] = "asymmetric",
  search: GridRule["search"] = "minmax",
): GridRule {
  return { top: 2 ** bits - 1, bottom: symmetry === "restricted" ? 1 : 0, symmetry, search };
}

/**
 * Asymmetric: s = (max − min)/(2^b − 1) over a range that includes 0, z = round(−min/s).
 * Symmetric: the range is ±max|w|, z = 2^(b−1). Restricted: s = max|w|/(2^(b−1) − 1), codes from 1.
 * All: q = clamp(round(w/s) + z, 0, 2^b − 1). A group of one value v ≠ 0 has s = |v|, so that it is kept exactly.
 */
export function roundToNearest(
  weight: ArrayLike<number>,
  rows: number,
  columns: number,
  options: { group: number; rule: GridRule },
): IntegerGrid {
  const { rule } = options;
  const group = options.group === 0 ? columns : options.group;
  const groups = columns / group;
  const codes = new Int32Array(rows * columns);
  const scales = new Float64Array(rows * groups);
  const zeroPoints = new Float64Array(rows * groups);
  for (let cell = 0; cell < rows * groups; cell++) {
    const values = Array.from({ length: group }, (_, i) => weight[cell * group + i]!);
    const { scale, zero } = fitGrid(values, rule);
    scales[cell] = scale;
    zeroPoints[cell] = zero;
    values.forEach((value, i) => (codes[cell * group + i] = nearestLevel(value, { scale, zero }, rule)));
  }
  return { codes, scales, zeroPoints };
}

interface Fit {
  readonly scale: number;
  readonly zero: number;
}

function nearestLevel(value: number, { scale, zero }: Fit, { top, bottom }: GridRule): number {
  return Math.min(top, Math.max(bottom, roundHalfToEven(Math.fround(value / scale)) + zero));
}

/** Of the range times 1, .99, … .21 (just 1 for "minmax") the grid of least Σ(ŵ − w)². */
export function fitGrid(values: readonly number[], rule: GridRule): Fit {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const middle = (rule.top + 1) / 2;
  if (low === high)
    return { scale: Math.abs(low) || 1, zero: rule.symmetry === "asymmetric" ? Number(low < 0) : middle };
  const shares = rule.search === "minmax" ? [1] : Array.from({ length: 80 }, (_, i) => (100 - i) / 100);
  const fits = shares.map((share) => between(low * share, high * share, rule));
  const errors = fits.map((fit) => gridError(values, fit, rule));
  return fits[errors.indexOf(Math.min(...errors))]!;
}

/** Σ(ŵ − w)² */
export function gridError(values: readonly number[], fit: Fit, rule: GridRule): number {
  return values.reduce((sum, w) => sum + (fit.scale * (nearestLevel(w, fit, rule) - fit.zero) - w) ** 2, 0);
}

function between(low: number, high: number, { top, symmetry }: GridRule): Fit {
  const middle = (top + 1) / 2;
  const reach = Math.max(-low, high);
  if (symmetry === "restricted") return { scale: Math.fround(reach / (middle - 1)), zero: middle };
  if (symmetry === "symmetric") return { scale: Math.fround((2 * reach) / top), zero: middle };
  const [from, to] = [Math.min(low, 0), Math.max(high, 0)];
  const scale = Math.fround((to - from) / top);
  return { scale, zero: roundHalfToEven(Math.fround(-from / scale)) };
}

/** Ŵ = s · (q − z). */
export function decodeIntegers(grid: IntegerGrid, rows: number, columns: number): Float64Array {
  const groups = grid.scales.length / rows;
  const group = columns / groups;
  const weight = new Float64Array(rows * columns);
  for (let i = 0; i < weight.length; i++) {
    const cell = Math.floor(i / columns) * groups + Math.floor((i % columns) / group);
    weight[i] = grid.scales[cell]! * (grid.codes[i]! - grid.zeroPoints[cell]!);
  }
  return weight;
}

/** Rows of codes as a little-endian bit stream, each row padded to a byte: the storage format of the int formats. */
export function packRows(codes: ArrayLike<number>, rows: number, columns: number, bits: number): Uint8Array {
  const bytesPerRow = Math.ceil((columns * bits) / 8);
  const packed = new Uint8Array(rows * bytesPerRow);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      for (let bit = 0; bit < bits; bit++) {
        const position = column * bits + bit;
        const value = (codes[row * columns + column]! >> bit) & 1;
        packed[row * bytesPerRow + (position >> 3)]! |= value << (position & 7);
      }
  return packed;
}
