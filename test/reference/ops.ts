/** The library's differentiable operations, literally from their definitions, in float64. */

export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function numbers(shape: readonly number[], fill: (index: number) => number): Numbers {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float64Array.from({ length: size }, (_, index) => fill(index)) };
}

export const map2 = (a: Numbers, b: Numbers, f: (x: number, y: number) => number): Numbers =>
  numbers(a.shape, (i) => f(a.data[i]!, b.data[i]!));

/** alpha · op(a) · op(b) */
export function matmul(a: Numbers, b: Numbers, { transposeA = false, transposeB = false, alpha = 1 } = {}): Numbers {
  const [aRows, aColumns] = [a.shape[0]!, a.shape[1]!];
  const [bRows, bColumns] = [b.shape[0]!, b.shape[1]!];
  const inner = transposeA ? aRows : aColumns;
  const shape = [transposeA ? aColumns : aRows, transposeB ? bRows : bColumns];
  return numbers(shape, (index) => {
    const [row, column] = [Math.floor(index / shape[1]!), index % shape[1]!];
    let total = 0;
    for (let k = 0; k < inner; k++) {
      const left = a.data[transposeA ? k * aColumns + row : row * aColumns + k]!;
      total += left * b.data[transposeB ? column * bColumns + k : k * bColumns + column]!;
    }
    return alpha * total;
  });
}

/** The products of the matrices of [batch, m, k] and [batch, k, n]. */
export function batchedMatmul(a: Numbers, b: Numbers, options: Parameters<typeof matmul>[2] = {}): Numbers {
  const slice = ({ shape, data }: Numbers, i: number): Numbers => {
    const size = shape[1]! * shape[2]!;
    return numbers(shape.slice(1), (index) => data[i * size + index]!);
  };
  const products = Array.from({ length: a.shape[0]! }, (_, i) => matmul(slice(a, i), slice(b, i), options));
  const size = products[0]!.data.length;
  return numbers([products.length, ...products[0]!.shape], (i) => products[Math.floor(i / size)]!.data[i % size]!);
}

/** relu, silu, gelu by the error function's series, and its approximation by tanh. */
export function activation(kind: "relu" | "silu" | "gelu" | "geluTanh", x: number): number {
  if (kind === "relu") return Math.max(0, x);
  if (kind === "silu") return x / (1 + Math.exp(-x));
  if (kind === "gelu") return (x / 2) * (1 + erf(x / Math.SQRT2));
  return (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

export function layerNorm(x: Numbers, weight: Numbers, bias: Numbers, epsilon: number): Numbers {
  const width = weight.data.length;
  return numbers(x.shape, (index) => {
    const row = x.data.subarray(index - (index % width), index - (index % width) + width);
    const mean = row.reduce((sum, v) => sum + v, 0) / width;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width;
    const column = index % width;
    return ((x.data[index]! - mean) / Math.sqrt(variance + epsilon)) * weight.data[column]! + bias.data[column]!;
  });
}

export const rows = (x: Numbers, chosen: readonly number[]): Numbers =>
  numbers(
    [chosen.length, x.shape[1]!],
    (i) => x.data[chosen[Math.floor(i / x.shape[1]!)]! * x.shape[1]! + (i % x.shape[1]!)]!,
  );

export function softmaxRows(x: Numbers): Numbers {
  const width = x.shape[1]!;
  return numbers(x.shape, (i) => softmax([...x.data.subarray(i - (i % width), i - (i % width) + width)])[i % width]!);
}

/** To one number for everything, for each column (over rows) or for each row (over columns). */
export function reduce(x: Numbers, kind: "sum" | "mean" | "max" | "norm", over: "all" | "rows" | "columns"): Numbers {
  const [m, n] = [x.shape[0]!, x.shape[1]!];
  const shape = over === "all" ? [1] : [over === "rows" ? n : m];
  return numbers(shape, (at) => {
    const group = [...x.data].filter((_, i) => over === "all" || (over === "rows" ? i % n : Math.floor(i / n)) === at);
    if (kind === "max") return Math.max(...group);
    if (kind === "norm") return Math.hypot(...group);
    const sum = group.reduce((a, b) => a + b, 0);
    return kind === "sum" ? sum : sum / group.length;
  });
}

/** Word `index` of the stream (seed, offset) of Philox 4×32-10 (Salmon et al. 2011), for seeds and offsets below 2^32. */
export function philox(seed: number, offset: number, index: number): number {
  const low = 0xffffffffn;
  let words = [BigInt(Math.floor(index / 4)), 0n, BigInt(offset), 0n];
  let key = [BigInt(seed), 0n];
  for (let round = 0; round < 10; round++) {
    const [a, b] = [words[0]! * 0xd2511f53n, words[2]! * 0xcd9e8d57n];
    words = [(b >> 32n) ^ words[1]! ^ key[0]!, b & low, (a >> 32n) ^ words[3]! ^ key[1]!, a & low];
    key = [(key[0]! + 0x9e3779b9n) & low, (key[1]! + 0xbb67ae85n) & low];
  }
  return Number(words[index % 4]);
}

export function rmsNorm(x: Numbers, weight: Numbers, epsilon: number): Numbers {
  const width = weight.data.length;
  return numbers(x.shape, (index) => {
    const start = index - (index % width);
    const meanSquare = x.data.subarray(start, start + width).reduce((sum, v) => sum + v * v, 0) / width;
    return (x.data[index]! / Math.sqrt(meanSquare + epsilon)) * weight.data[index % width]!;
  });
}

/** Turns the pairs of each head's first `rotary` numbers by position · theta^(−2i/rotary) / factor. x [batch·length, heads·headDim] */
export function rope(
  x: Numbers,
  o: {
    length: number;
    heads: number;
    theta: number;
    offset?: number;
    interleaved?: boolean;
    rotary?: number;
    factor?: number;
  },
): Numbers {
  const width = x.shape[1]!;
  const headDim = width / o.heads;
  const rotary = o.rotary ?? headDim;
  const half = rotary / 2;
  return numbers(x.shape, (index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    const inHead = column % headDim;
    if (inHead >= rotary) return x.data[index]!;
    const pair = o.interleaved ? Math.floor(inHead / 2) : inHead % half;
    const isFirst = o.interleaved ? inHead % 2 === 0 : inHead < half;
    const position = ((row % o.length) + (o.offset ?? 0)) / (o.factor ?? 1);
    const angle = position * o.theta ** ((-2 * pair) / rotary);
    const start = index - inHead;
    const first = x.data[start + (o.interleaved ? 2 * pair : pair)]!;
    const second = x.data[start + (o.interleaved ? 2 * pair + 1 : pair + half)]!;
    return isFirst
      ? first * Math.cos(angle) - second * Math.sin(angle)
      : second * Math.cos(angle) + first * Math.sin(angle);
  });
}

interface AttentionOptions {
  batch: number;
  heads: number;
  kvHeads: number;
  causal?: boolean;
  window?: number;
  softCap?: number;
  slopes?: readonly number[];
  lengths?: readonly number[];
  keyMask?: readonly number[];
}

/** Query i stands at position keys − queries + i. */
export function attention(q: Numbers, k: Numbers, v: Numbers, o: AttentionOptions): Numbers {
  const width = q.shape[1]!;
  const headDim = width / o.heads;
  const [queries, keys] = [q.shape[0]! / o.batch, k.shape[0]! / o.batch];
  return numbers(q.shape, (index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    const sequence = Math.floor(row / queries);
    const position = keys - queries + (row % queries);
    const head = Math.floor(column / headDim);
    const kvColumn = Math.floor(head / (o.heads / o.kvHeads)) * headDim;
    const kvStart = (key: number) => (sequence * keys + key) * o.kvHeads * headDim + kvColumn;
    const visible = Array.from({ length: keys }, (_, key) => key).filter(
      (key) =>
        (o.causal === false || key <= position) &&
        Math.abs(position - key) < (o.window ?? Infinity) &&
        key < (o.lengths?.[sequence] ?? keys) &&
        o.keyMask?.[sequence * keys + key] !== 0,
    );
    const scores = visible.map((key) => {
      let dot = 0;
      for (let d = 0; d < headDim; d++) dot += q.data[row * width + head * headDim + d]! * k.data[kvStart(key) + d]!;
      const score = dot / Math.sqrt(headDim);
      const capped = o.softCap === undefined ? score : o.softCap * Math.tanh(score / o.softCap);
      return capped + (o.slopes?.[head] ?? 0) * (key - position);
    });
    const weights = softmax(scores);
    return weights.reduce((sum, weight, n) => sum + weight * v.data[kvStart(visible[n]!) + (column % headDim)]!, 0);
  });
}

/** Mean over the targets that are not `ignore` → [1] */
export function linearCrossEntropy(
  x: Numbers,
  weight: Numbers,
  targets: readonly number[],
  ignore: number,
  smoothing = 0,
): Numbers {
  const logits = matmul(x, weight, { transposeB: true });
  const vocab = weight.shape[0]!;
  const counted = targets.map((target, row) => ({ target, row })).filter(({ target }) => target !== ignore);
  const losses = counted.map(({ target, row }) => {
    const logs = softmax([...logits.data.subarray(row * vocab, (row + 1) * vocab)]).map(Math.log);
    const average = logs.reduce((a, b) => a + b, 0) / vocab;
    return -(1 - smoothing) * logs[target]! - smoothing * average;
  });
  return numbers([1], () => losses.reduce((a, b) => a + b, 0) / losses.length);
}

export function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

/** d loss / d input by central differences. */
export function centralDifferences(loss: (input: Numbers) => number, input: Numbers, step = 1e-5): Numbers {
  return numbers(input.shape, (index) => {
    const at = (delta: number) => {
      const data = Float64Array.from(input.data);
      data[index]! += delta;
      return loss({ shape: input.shape, data });
    };
    return (at(step) - at(-step)) / (2 * step);
  });
}
