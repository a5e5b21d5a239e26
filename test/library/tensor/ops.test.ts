import { describe, expect, it } from "vitest";
import { backward, liveTensors, noGrad, scope, Tensor } from "nibble-lab";
import * as library from "../../../kernel/library/lib/tensor/ops.js";
import * as reference from "../../reference/ops.js";
import { centralDifferences, numbers, type Numbers } from "../../reference/ops.js";
import { each, int32, normal, packedCase, pairs, rows, toTensor, width, type Case } from "./op-cases.js";

const gridWeight = normal(4, width);
const gridScales = numbers([4, 2], (i) => Math.fround(0.4 + 0.03 * i));
const activations = ["relu", "silu", "gelu", "geluTanh"] as const;
const mask = [1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1];
/** Elements that p 0.25, seed 7, offset 3 keep. */
const kept = new Set(
  Array.from({ length: rows * width }, (_, i) => i).filter((i) => reference.philox(7, 3, i) >= 0.25 * 2 ** 32),
);

const heads = { batch: 2, heads: 4, kvHeads: 2 };
const turns = { length: 5, heads: 2, theta: 100, offset: 3 };
const targets = [3, 0, -100, 6, 2];

const cases: { readonly [K in library.OpName]: readonly Case[] } = {
  add: pairs(library.add, (x, y) => x + y),
  activation: activations.map((kind) => ({
    title: kind,
    inputs: { x: normal(rows, width) },
    run: ({ x }) => library.activation(x!, kind),
    expected: ({ x }) => numbers(x!.shape, (i) => reference.activation(kind, x!.data[i]!)),
  })),
  addScalar: [
    {
      title: "a negative number",
      inputs: { x: normal(rows, width) },
      run: ({ x }) => library.addScalar(x!, -1.5),
      expected: ({ x }) => numbers(x!.shape, (i) => x!.data[i]! - 1.5),
    },
  ],
  attention: [
    {
      title: "whole sequences",
      inputs: { q: normal(10, 16), k: normal(10, 8), v: normal(10, 8) },
      run: ({ q, k, v }) => library.attention(q!, k!, v!, heads),
      expected: ({ q, k, v }) => reference.attention(q!, k!, v!, heads),
    },
    {
      title: "fewer queries than keys",
      inputs: { q: normal(4, 16), k: normal(10, 8), v: normal(10, 8) },
      run: ({ q, k, v }) => library.attention(q!, k!, v!, heads),
      expected: ({ q, k, v }) => reference.attention(q!, k!, v!, heads),
    },
    {
      title: "a window, a soft cap, slopes and lengths",
      inputs: { q: normal(10, 16), k: normal(10, 8), v: normal(10, 8) },
      run: ({ q, k, v }) =>
        library.attention(q!, k!, v!, {
          ...heads,
          window: 3,
          softCap: 2,
          slopes: Tensor.from([0.5, 0.25, 0.125, 0]),
          lengths: int32([5, 4]),
        }),
      expected: ({ q, k, v }) =>
        reference.attention(q!, k!, v!, {
          ...heads,
          window: 3,
          softCap: 2,
          slopes: [0.5, 0.25, 0.125, 0],
          lengths: [5, 4],
        }),
    },
    {
      title: "both directions under a mask",
      inputs: { q: normal(10, 16), k: normal(14, 8), v: normal(14, 8) },
      run: ({ q, k, v }) =>
        library.attention(q!, k!, v!, { ...heads, causal: false, keyMask: Tensor.from(Uint8Array.from(mask), [2, 7]) }),
      expected: ({ q, k, v }) => reference.attention(q!, k!, v!, { ...heads, causal: false, keyMask: mask }),
    },
  ],
  batchedMatmul: [
    { title: "plain, alpha 2", a: [2, 3, 4], b: [2, 4, 5], options: { alpha: 2 } },
    { title: "first transposed", a: [3, 4, 3], b: [3, 4, 1], options: { transposeA: true } },
    { title: "second transposed", a: [2, 1, 4], b: [2, 5, 4], options: { transposeB: true } },
    { title: "both transposed", a: [1, 4, 3], b: [1, 5, 4], options: { transposeA: true, transposeB: true } },
  ].map(({ title, a, b, options }) => ({
    title,
    inputs: { a: normal(...a), b: normal(...b) },
    run: ({ a, b }) => library.batchedMatmul(a!, b!, options),
    expected: ({ a, b }) => reference.batchedMatmul(a!, b!, options),
  })),
  biasActivation: activations.map((kind) => ({
    title: kind,
    inputs: { x: normal(rows, width), bias: normal(width) },
    run: ({ x, bias }) => library.biasActivation(x!, bias!, kind),
    expected: ({ x, bias }) =>
      numbers(x!.shape, (i) => reference.activation(kind, x!.data[i]! + bias!.data[i % width]!)),
  })),
  cast: [
    {
      title: "to bf16 and back, of numbers that fit",
      inputs: { x: numbers([rows, width], (i) => i / 8) },
      run: ({ x }) => library.cast(library.cast(x!, "bf16"), "f32"),
      expected: ({ x }) => x!,
      gradientTolerance: 2 ** -8,
    },
  ],
  divide: pairs(
    library.divide,
    (x, y) => x / y,
    (x) => 0.5 + Math.abs(x),
  ),
  dropout: [
    {
      title: "the same elements in both passes",
      inputs: { x: normal(rows, width) },
      run: ({ x }) => library.dropout(x!, { p: 0.25, seed: 7, offset: 3 }),
      expected: ({ x }) => numbers(x!.shape, (i) => (kept.has(i) ? x!.data[i]! / 0.75 : 0)),
    },
  ],
  exp: each(library.exp, Math.exp),
  gatedActivation: activations.map((kind) => ({
    title: kind,
    inputs: { gate: normal(rows, width), up: normal(rows, width) },
    run: ({ gate, up }) => library.gatedActivation(gate!, up!, kind),
    expected: ({ gate, up }) => reference.map2(gate!, up!, (g, u) => reference.activation(kind, g) * u),
  })),
  gatherRows: [
    {
      title: "a repeated row",
      inputs: { x: normal(rows, width) },
      run: ({ x }) => library.gatherRows(x!, int32([4, 0, 4])),
      expected: ({ x }) => reference.rows(x!, [4, 0, 4]),
    },
  ],
  layerNorm: [
    {
      title: "epsilon 1e-5",
      inputs: { x: normal(rows, width), weight: normal(width), bias: normal(width) },
      run: ({ x, weight, bias }) => library.layerNorm(x!, weight!, bias!, 1e-5),
      expected: ({ x, weight, bias }) => reference.layerNorm(x!, weight!, bias!, 1e-5),
    },
  ],
  log: each(library.log, Math.log, (x) => 0.5 + Math.abs(x)),
  logSoftmax: each(library.logSoftmax, Math.log, (x) => x, reference.softmaxRows),
  embedding: [
    {
      title: "a repeated id",
      inputs: { weight: normal(7, width) },
      run: ({ weight }) => library.embedding(int32([2, 6, 2, 0]), weight!),
      expected: ({ weight }) =>
        numbers([4, width], (i) => weight!.data[[2, 6, 2, 0][Math.floor(i / width)]! * width + (i % width)]!),
    },
  ],
  fakeQuant: [
    {
      title: "straight through, inside and outside the grid",
      inputs: { weight: gridWeight, scales: gridScales, zeroPoints: numbers([4, 2], (i) => (i % 2 === 0 ? 1 : 2)) },
      run: ({ weight, scales, zeroPoints }) => library.fakeQuant(weight!, scales!, zeroPoints!, { bits: 2, group: 3 }),
      // The function whose derivatives the straight-through estimator takes: what was rounded off stays as it is.
      expected: ({ weight, scales, zeroPoints }) =>
        numbers([4, width], (i) => {
          const group = Math.floor(i / 3);
          const zero = group % 2 === 0 ? 1 : 2;
          const free = Math.round(gridWeight.data[i]! / gridScales.data[group]!);
          if (free < -zero || free > 3 - zero) {
            return scales!.data[group]! * (Math.min(Math.max(free + zero, 0), 3) - zeroPoints!.data[group]!);
          }
          return weight!.data[i]! + scales!.data[group]! * (free - gridWeight.data[i]! / gridScales.data[group]!);
        }),
    },
  ],
  linear: [
    {
      title: "x times the weight's transpose",
      inputs: { x: normal(rows, width), weight: normal(4, width) },
      run: ({ x, weight }) => library.linear(x!, weight!),
      expected: ({ x, weight }) => reference.matmul(x!, weight!, { transposeB: true }),
    },
    {
      title: "and a bias and a residual",
      inputs: { x: normal(rows, width), weight: normal(4, width), bias: normal(4), residual: normal(rows, 4) },
      run: ({ x, weight, bias, residual }) => library.linear(x!, weight!, { bias: bias!, residual: residual! }),
      expected: ({ x, weight, bias, residual }) => {
        const y = reference.matmul(x!, weight!, { transposeB: true });
        return numbers([rows, 4], (i) => y.data[i]! + bias!.data[i % 4]! + residual!.data[i]!);
      },
    },
  ],
  linearCrossEntropy: [
    {
      title: "an ignored target",
      inputs: { x: normal(rows, width), weight: normal(7, width) },
      run: ({ x, weight }) => library.linearCrossEntropy(x!, weight!, int32(targets), { ignoreIndex: -100 }),
      expected: ({ x, weight }) => reference.linearCrossEntropy(x!, weight!, targets, -100),
    },
    {
      title: "smoothed labels",
      inputs: { x: normal(rows, width), weight: normal(7, width) },
      run: ({ x, weight }) => library.linearCrossEntropy(x!, weight!, int32(targets), { labelSmoothing: 0.2 }),
      expected: ({ x, weight }) => reference.linearCrossEntropy(x!, weight!, targets, -100, 0.2),
    },
  ],
  loraJoin: [
    {
      title: "scaling 0.5",
      inputs: { y: normal(rows, 4), x: normal(rows, width), a: normal(2, width), b: normal(4, 2) },
      run: ({ y, x, a, b }) => library.loraJoin(y!, x!, a!, b!, 0.5),
      expected: ({ y, x, a, b }) =>
        reference.map2(
          y!,
          reference.matmul(reference.matmul(x!, a!, { transposeB: true }), b!, { transposeB: true, alpha: 0.5 }),
          (p, q) => p + q,
        ),
    },
  ],
  matmul: [
    {
      title: "plain, alpha 2",
      inputs: { a: normal(3, 4), b: normal(4, 5) },
      run: ({ a, b }) => library.matmul(a!, b!, { alpha: 2 }),
      expected: ({ a, b }) => reference.matmul(a!, b!, { alpha: 2 }),
    },
    {
      title: "first transposed",
      inputs: { a: normal(4, 3), b: normal(4, 5) },
      run: ({ a, b }) => library.matmul(a!, b!, { transposeA: true }),
      expected: ({ a, b }) => reference.matmul(a!, b!, { transposeA: true }),
    },
    {
      title: "second transposed",
      inputs: { a: normal(3, 4), b: normal(5, 4) },
      run: ({ a, b }) => library.matmul(a!, b!, { transposeB: true }),
      expected: ({ a, b }) => reference.matmul(a!, b!, { transposeB: true }),
    },
    {
      title: "both transposed",
      inputs: { a: normal(4, 3), b: normal(5, 4) },
      run: ({ a, b }) => library.matmul(a!, b!, { transposeA: true, transposeB: true }),
      expected: ({ a, b }) => reference.matmul(a!, b!, { transposeA: true, transposeB: true }),
    },
  ],
  multiply: pairs(library.multiply, (x, y) => x * y),
  packedLinear: [packedCase("a scale a row", 0, 1), packedCase("a scale for three inputs", 3, 2)],
  permute: [
    {
      title: "three dimensions",
      inputs: { x: normal(2, 3, 4) },
      run: ({ x }) => library.permute(x!, [2, 0, 1]),
      expected: ({ x }) => numbers([4, 2, 3], (i) => x!.data[(i % 6) * 4 + Math.floor(i / 6)]!),
    },
  ],
  reduce: (["sum", "mean", "max", "norm"] as const).flatMap((kind) =>
    (["all", "rows", "columns"] as const).map((over) => ({
      title: `${kind} over ${over}`,
      inputs: { x: normal(rows, width) },
      run: ({ x }: Record<string, Tensor>) => library[kind](x!, over),
      expected: ({ x }: Record<string, Numbers>) => reference.reduce(x!, kind, over),
    })),
  ),
  reshape: [
    {
      title: "three dimensions",
      inputs: { x: normal(rows, width) },
      run: ({ x }) => library.reshape(x!, [rows, 2, 3]),
      expected: ({ x }) => numbers([rows, 2, 3], (i) => x!.data[i]!),
    },
  ],
  rmsNorm: [
    {
      title: "epsilon 1e-5",
      inputs: { x: normal(rows, width), weight: normal(width) },
      run: ({ x, weight }) => library.rmsNorm(x!, weight!, 1e-5),
      expected: ({ x, weight }) => reference.rmsNorm(x!, weight!, 1e-5),
    },
  ],
  rope: [
    {
      title: "positions from an offset",
      inputs: { x: normal(10, 8) },
      run: ({ x }) => library.rope(x!, turns),
      expected: ({ x }) => reference.rope(x!, turns),
    },
    {
      title: "interleaved pairs of the first numbers, stretched",
      inputs: { x: normal(10, 16) },
      run: ({ x }) =>
        library.rope(x!, { ...turns, interleaved: true, rotary: 6, scaling: { kind: "linear", factor: 2 } }),
      expected: ({ x }) => reference.rope(x!, { ...turns, interleaved: true, rotary: 6, factor: 2 }),
    },
  ],
  scale: [
    {
      title: "a negative factor",
      inputs: { x: normal(rows, width) },
      run: ({ x }) => library.scale(x!, -1.5),
      expected: ({ x }) => numbers(x!.shape, (i) => -1.5 * x!.data[i]!),
    },
  ],
  scatterRows: [
    {
      title: "a repeated row",
      inputs: { x: normal(3, width) },
      run: ({ x }) => library.scatterRows(x!, int32([3, 1, 3]), 4),
      expected: ({ x }) =>
        numbers([4, width], (i) =>
          [3, 1, 3].reduce(
            (sum, row, n) => sum + (row === Math.floor(i / width) ? x!.data[n * width + (i % width)]! : 0),
            0,
          ),
        ),
    },
  ],
  softmax: each(
    library.softmax,
    (x) => x,
    (x) => x,
    reference.softmaxRows,
  ),
  sqrt: each(library.sqrt, Math.sqrt, (x) => 0.5 + Math.abs(x)),
  subtract: pairs(library.subtract, (x, y) => x - y),
  transpose: [
    {
      title: "a matrix",
      inputs: { x: normal(rows, width) },
      run: ({ x }) => library.transpose(x!),
      expected: ({ x }) => numbers([width, rows], (i) => x!.data[(i % rows) * width + Math.floor(i / rows)]!),
    },
  ],
};

function expectClose(got: Tensor, expected: Numbers, tolerance: number, what: string): void {
  expect([...got.shape], what).toEqual([...expected.shape]);
  const size = Math.max(1, ...expected.data.map(Math.abs));
  const error = Math.max(...got.arraySync().map((value, i) => Math.abs(value - expected.data[i]!)));
  expect(error / size, `${what}: largest error ÷ largest value`).toBeLessThan(tolerance);
}
/** The weights that turn an output into one number. */
const direction = (shape: readonly number[]) => numbers(shape, (i) => Math.fround(Math.cos(3 * i + 1)));
function pairing(y: Numbers): number {
  const weights = direction(y.shape).data;
  return y.data.reduce((total, value, i) => total + value * weights[i]!, 0);
}

/** Gradients of the named inputs, the others being constants. */
function gradients(one: Case, wanted: readonly string[]): Map<string, Tensor> {
  const inputs = Object.fromEntries(Object.entries(one.inputs).map(([name, value]) => [name, toTensor(value)]));
  for (const name of wanted) inputs[name]!.requiresGrad = true;
  const y = one.run(inputs);
  backward(library.sum(library.multiply(y, toTensor(direction(y.shape)))));
  for (const [name, tensor] of Object.entries(inputs))
    expect(tensor.grad !== null, `${name} has a gradient`).toBe(wanted.includes(name));
  return new Map(wanted.map((name) => [name, inputs[name]!.grad!]));
}

describe.each(Object.entries(cases))("%s", (name, list) => {
  it.each(list)("equals its definition: $title", (one) => {
    const before = liveTensors();
    scope(() => {
      const inputs = Object.fromEntries(Object.entries(one.inputs).map(([key, value]) => [key, toTensor(value)]));
      expectClose(
        noGrad(() => one.run(inputs)),
        one.expected({ ...one.inputs }),
        1e-5,
        name,
      );
    });
    expect(liveTensors()).toBe(before);
  });

  it.each(list)("has the gradients that central differences give, together and one by one: $title", (one) => {
    const before = liveTensors();
    scope(() => {
      const together = gradients(one, Object.keys(one.inputs));
      for (const [key, value] of Object.entries(one.inputs)) {
        const expected = centralDifferences(
          (changed) => pairing(one.expected({ ...one.inputs, [key]: changed })),
          value,
        );
        const tolerance = one.gradientTolerance ?? 2e-5;
        expectClose(together.get(key)!, expected, tolerance, `d${key}`);
        expectClose(gradients(one, [key]).get(key)!, expected, tolerance, `d${key} alone`);
      }
    });
    expect(liveTensors()).toBe(before);
  });
});

it("has a case for every operation of the table", () => {
  expect(Object.keys(cases).sort()).toEqual(Object.keys(library.ops).sort());
});
