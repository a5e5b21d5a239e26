/** NormalFloat and its double quantization (QLoRA, arXiv 2305.14314, as bitsandbytes implements them), in float64 from the definitions. */

/** NF4's sixteen values, index = code: 7 negative, 0, 8 positive. */
export const NF4_VALUES: readonly number[] = [
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
];

/** 2^bits quantiles of the normal distribution, one end at 1 − ½(1/32 + 1/30), divided by the largest. */
export function normalFloat(bits: number): number[] {
  const half = 2 ** (bits - 1);
  const offset = 1 - 0.5 * (1 / 32 + 1 / 30);
  const quantiles = (points: number): number[] =>
    Array.from({ length: points - 1 }, (_, i) => inverseNormal(offset + ((0.5 - offset) * i) / (points - 1)));
  const values = [...quantiles(half + 1), 0, ...quantiles(half).map((x) => -x)].sort((a, b) => a - b);
  const largest = values[values.length - 1]!;
  return values.map((value) => value / largest);
}

/** Nearest value; a tie goes down. */
export function nearestCode(x: number, values: readonly number[] = NF4_VALUES): number {
  let code = 0;
  while (code + 1 < values.length && x > (values[code]! + values[code + 1]!) / 2) code++;
  return code;
}

export interface BlockGrid {
  /** One code an element, not packed. */
  readonly codes: Uint8Array;
  /** Largest |w| of each block. */
  readonly scales: Float64Array;
}

export function quantizeBlocks(
  weight: ArrayLike<number>,
  block: number,
  values: readonly number[] = NF4_VALUES,
): BlockGrid {
  const blocks = Math.ceil(weight.length / block);
  const codes = new Uint8Array(weight.length);
  const scales = new Float64Array(blocks);
  for (let b = 0; b < blocks; b++) {
    const end = Math.min(weight.length, (b + 1) * block);
    let largest = 0;
    for (let i = b * block; i < end; i++) largest = Math.max(largest, Math.abs(weight[i]!));
    scales[b] = largest;
    for (let i = b * block; i < end; i++) codes[i] = nearestCode(largest === 0 ? 0 : weight[i]! / largest, values);
  }
  return { codes, scales };
}

export function decodeBlocks(
  grid: BlockGrid,
  block: number,
  scales: ArrayLike<number> = grid.scales,
  values: readonly number[] = NF4_VALUES,
): Float64Array {
  return Float64Array.from(grid.codes, (code, i) => values[code]! * scales[Math.floor(i / block)]!);
}

/** Two codes a byte, the even element in the high nibble. */
export function packNibbles(codes: Uint8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(codes.length / 2));
  codes.forEach((code, i) => {
    packed[i >> 1]! |= i % 2 === 0 ? code << 4 : code;
  });
  return packed;
}

/** Codes of `bits` bits as one stream, lowest bits first. */
export function packStream(codes: Uint8Array, bits: number): Uint8Array {
  const packed = new Uint8Array(Math.ceil((codes.length * bits) / 8));
  codes.forEach((code, i) => {
    for (let bit = 0; bit < bits; bit++) {
      const at = i * bits + bit;
      packed[at >> 3]! |= ((code >> bit) & 1) << (at & 7);
    }
  });
  return packed;
}

/** The signed dynamic 8-bit map: 7 decades, 2^i intervals in decade i, midpoints, both signs, 0 and 1. */
export function dynamicMap(): number[] {
  const values = [0, 1];
  for (let decade = 0; decade < 7; decade++) {
    const intervals = 2 ** decade;
    const edge = (i: number): number => 0.1 + (0.9 * i) / intervals;
    for (let i = 0; i < intervals; i++) {
      const value = ((edge(i) + edge(i + 1)) / 2) * 10 ** (decade - 6);
      values.push(value, -value);
    }
  }
  return values.sort((a, b) => a - b);
}

/** Scales of blocks, quantized again: minus their mean, blocks of 256, signed dynamic map. Returns what decoding gives back. */
export function doubleQuantizedScales(scales: ArrayLike<number>): Float64Array {
  const map = dynamicMap();
  const offset = Array.from(scales).reduce((sum, scale) => sum + scale, 0) / scales.length;
  const decoded = new Float64Array(scales.length);
  for (let start = 0; start < scales.length; start += 256) {
    const end = Math.min(scales.length, start + 256);
    let largest = 0;
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(scales[i]! - offset));
    for (let i = start; i < end; i++) {
      const code = nearestCode(largest === 0 ? 0 : (scales[i]! - offset) / largest, map);
      decoded[i] = map[code]! * largest + offset;
    }
  }
  return decoded;
}

/** Φ⁻¹ by bisection on the series of erf: slow, exact to 1e-14. */
function inverseNormal(probability: number): number {
  let low = -10;
  let high = 10;
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Φ(x) = ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …). */
function normalCdf(x: number): number {
  let term = x;
  let sum = x;
  for (let i = 1; i < 400; i++) {
    term *= (x * x) / (2 * i + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
