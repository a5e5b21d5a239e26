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

/**
 * Asymmetric: s = (max − min)/(2^b − 1) over a range that includes 0, z = round(−min/s).
 * Symmetric: the range is ±max|w|, z = 2^(b−1). Both: q = clamp(round(w/s) + z, 0, 2^b − 1).
 * A group of one value v ≠ 0 has s = |v|, so that it is kept exactly.
 */
export function roundToNearest(
  weight: ArrayLike<number>,
  rows: number,
  columns: number,
  options: { bits: number; group: number; symmetric: boolean },
): IntegerGrid {
  const top = 2 ** options.bits - 1;
  const group = options.group === 0 ? columns : options.group;
  const groups = columns / group;
  const codes = new Int32Array(rows * columns);
  const scales = new Float64Array(rows * groups);
  const zeroPoints = new Float64Array(rows * groups);
  for (let cell = 0; cell < rows * groups; cell++) {
    const values = Array.from({ length: group }, (_, i) => weight[cell * group + i]!);
    const { scale, zero } = fit(values, options.bits, options.symmetric);
    scales[cell] = scale;
    zeroPoints[cell] = zero;
    values.forEach((value, i) => {
      const level = roundHalfToEven(Math.fround(value / scale)) + zero;
      codes[cell * group + i] = Math.min(top, Math.max(0, level));
    });
  }
  return { codes, scales, zeroPoints };
}

function fit(values: readonly number[], bits: number, symmetric: boolean): { scale: number; zero: number } {
  const top = 2 ** bits - 1;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const middle = 2 ** (bits - 1);
  if (low === high) return { scale: Math.abs(low) || 1, zero: symmetric ? middle : Number(low < 0) };
  const reach = Math.max(-low, high);
  const [from, to] = symmetric ? [-reach, reach] : [Math.min(low, 0), Math.max(high, 0)];
  const scale = Math.fround((to - from) / top);
  return { scale, zero: symmetric ? middle : roundHalfToEven(Math.fround(-from / scale)) };
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
