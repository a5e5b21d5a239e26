/**
 * Attention and cross-entropy beside PyTorch's, in milliseconds; norms and activations as a share of what copying the bytes
 * that they touch would take. The best of several rounds each.
 */
import {
  addRmsNorm,
  attention,
  backward,
  copy,
  gatedActivation,
  layerNorm,
  linearCrossEntropy,
  noGrad,
  Random,
  rmsNorm,
  scope,
  Tensor,
} from "nibble-lab";
import { compare, type Row } from "./report.js";
import { lastLine } from "./process.js";

const [HEADS, WIDTH, HIDDEN, TOKENS, VOCABULARY] = [12, 64, 768, 512, 8192];
const ROUNDS = 7;

export function ops(python: string | null): Promise<Row[]> {
  const kinds = python === null ? [] : ["f32", "bf16"];
  const peers = new Map(
    kinds.map((kind) => [kind, lastLine(python!, ["test/bench/peers/ops.py", kind]) as Record<string, number>]),
  );
  const rows: Row[] = [];
  for (const [name, milliseconds] of [...attentions(), crossEntropy()]) {
    const rivals = new Map([...peers].map(([kind, times]) => [`PyTorch ${kind}`, times[name]!]));
    rows.push(...compare("ops", name, "ms", milliseconds, rivals));
  }
  return Promise.resolve([...rows, ...bandwidths()]);
}

function* attentions(): Generator<[string, number]> {
  for (const [batch, length] of [
    [4, 128],
    [2, 1024],
  ] as const) {
    const [q, k, v, dy] = Array.from({ length: 4 }, () => parameter([batch * length, HEADS * WIDTH])) as Four;
    const run = () => attention(q, k, v, { batch, heads: HEADS, kvHeads: HEADS });
    yield [`attention ${batch} x ${length}, forward`, best(() => noGrad(run))];
    yield [`attention ${batch} x ${length}, forward and backward`, best(() => backward(run(), dy), [q, k, v])];
  }
}
type Four = [Tensor, Tensor, Tensor, Tensor];

function crossEntropy(): [string, number] {
  const [x, weight] = [parameter([TOKENS, HIDDEN]), parameter([VOCABULARY, HIDDEN])];
  const random = new Random(1);
  const targets = Tensor.from(Int32Array.from({ length: TOKENS }, () => random.integer(VOCABULARY)));
  const run = () => backward(linearCrossEntropy(x, weight, targets));
  return ["linear and cross-entropy, forward and backward", best(run, [x, weight])];
}

/** GB/s of tensors read and written, beside those of a copy. */
function bandwidths(): Row[] {
  const shape = [8192, HIDDEN];
  const [x, y, weight] = [parameter(shape), parameter(shape), parameter([HIDDEN])];
  const rate = (tensors: number, run: () => unknown) => (tensors * x.bytes) / best(() => noGrad(run)) / 1e6;
  const limit = rate(2, () => copy(x));
  const cases: [string, number, () => unknown][] = [
    ["rmsNorm", 2, () => rmsNorm(x, weight, 1e-5)],
    ["layerNorm", 2, () => layerNorm(x, weight, weight, 1e-5)],
    ["residual and rmsNorm", 4, () => addRmsNorm(x, y, weight, 1e-5)],
    ["SwiGLU", 3, () => gatedActivation(x, y, "silu")],
    ["GEGLU", 3, () => gatedActivation(x, y, "gelu")],
  ];
  return cases.flatMap(([name, tensors, run]) =>
    compare("ops", `${name} ${shape.join(" x ")}`, "GB/s", rate(tensors, run), new Map([["copy", limit]])),
  );
}

let seed = 0;
function parameter(shape: number[]): Tensor {
  const tensor = Tensor.randomNormal(shape, 1, ++seed);
  tensor.requiresGrad = true;
  return tensor;
}

/** Milliseconds of the fastest round, after one that does not count. */
function best(run: () => unknown, parameters: readonly Tensor[] = []): number {
  let least = Infinity;
  for (let round = 0; round <= ROUNDS; round++) {
    for (const parameter of parameters) parameter.clearGrad();
    const start = performance.now();
    scope(() => void run());
    if (round > 0) least = Math.min(least, performance.now() - start);
  }
  return least;
}
