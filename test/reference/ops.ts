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

export const addBias = (x: Numbers, bias: Numbers): Numbers =>
  numbers(x.shape, (i) => x.data[i]! + bias.data[i % bias.data.length]!);

export const swiglu = (gate: Numbers, up: Numbers): Numbers => map2(gate, up, (g, u) => (g / (1 + Math.exp(-g))) * u);

export function rmsNorm(x: Numbers, weight: Numbers, epsilon: number): Numbers {
  const width = weight.data.length;
  return numbers(x.shape, (index) => {
    const start = index - (index % width);
    const meanSquare = x.data.subarray(start, start + width).reduce((sum, v) => sum + v * v, 0) / width;
    return (x.data[index]! / Math.sqrt(meanSquare + epsilon)) * weight.data[index % width]!;
  });
}

/** Rotates pairs (i, i + headDim/2) of each head by position · theta^(−2i/headDim). x [batch·length, heads·headDim] */
export function rope(x: Numbers, o: { length: number; heads: number; theta: number; offset?: number }): Numbers {
  const width = x.shape[1]!;
  const headDim = width / o.heads;
  const half = headDim / 2;
  return numbers(x.shape, (index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    const inHead = column % headDim;
    const pair = inHead % half;
    const angle = ((row % o.length) + (o.offset ?? 0)) * o.theta ** ((-2 * pair) / headDim);
    const first = x.data[index - inHead + pair]!;
    const second = x.data[index - inHead + pair + half]!;
    return inHead < half
      ? first * Math.cos(angle) - second * Math.sin(angle)
      : second * Math.cos(angle) + first * Math.sin(angle);
  });
}

/** Causal: query i of `queries` sees keys up to keys − queries + i. */
export function attention(
  q: Numbers,
  k: Numbers,
  v: Numbers,
  { batch, heads, kvHeads }: { batch: number; heads: number; kvHeads: number },
): Numbers {
  const width = q.shape[1]!;
  const headDim = width / heads;
  const [queries, keys] = [q.shape[0]! / batch, k.shape[0]! / batch];
  return numbers(q.shape, (index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    const [sequence, query] = [Math.floor(row / queries), row % queries];
    const head = Math.floor(column / headDim);
    const kvColumn = Math.floor(head / (heads / kvHeads)) * headDim;
    const visible = keys - queries + query + 1;
    const scores = Array.from({ length: visible }, (_, key) => {
      const kvRow = (sequence * keys + key) * kvHeads * headDim + kvColumn;
      let dot = 0;
      for (let d = 0; d < headDim; d++) dot += q.data[row * width + head * headDim + d]! * k.data[kvRow + d]!;
      return dot / Math.sqrt(headDim);
    });
    const weights = softmax(scores);
    return weights.reduce(
      (sum, weight, key) =>
        sum + weight * v.data[(sequence * keys + key) * kvHeads * headDim + kvColumn + (column % headDim)]!,
      0,
    );
  });
}

/** Mean over the targets that are not `ignore` → [1] */
export function linearCrossEntropy(x: Numbers, weight: Numbers, targets: readonly number[], ignore: number): Numbers {
  const logits = matmul(x, weight, { transposeB: true });
  const vocab = weight.shape[0]!;
  const counted = targets.map((target, row) => ({ target, row })).filter(({ target }) => target !== ignore);
  const losses = counted.map(
    ({ target, row }) => -Math.log(softmax([...logits.data.subarray(row * vocab, (row + 1) * vocab)])[target]!),
  );
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
