/** Round to nearest, written from its definition in float64: what `rtn` must agree with. */

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
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const start = row * columns + g * group;
      let low = 0;
      let high = 0;
      for (let i = start; i < start + group; i++) {
        low = Math.min(low, weight[i]!);
        high = Math.max(high, weight[i]!);
      }
      if (options.symmetric) {
        high = Math.max(-low, high);
        low = -high;
      }
      const scale = high === low ? 1 : (high - low) / top;
      const zero = options.symmetric ? 2 ** (options.bits - 1) : roundHalfToEven(-low / scale);
      scales[row * groups + g] = scale;
      zeroPoints[row * groups + g] = zero;
      for (let i = start; i < start + group; i++)
        codes[i] = Math.min(top, Math.max(0, roundHalfToEven(weight[i]! / scale) + zero));
    }
  }
  return { codes, scales, zeroPoints };
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
