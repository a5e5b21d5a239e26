import { describe, expect, it } from "vitest";
import { backward, IGNORED, linearCrossEntropy, liveTensors, scope, ShapeError, Tensor } from "nibble-lab";
import { weightedCrossEntropy } from "../../../kernel/library/lib/nn/weighted-loss.js";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const ROWS = 7;
const WIDTH = 5;
const WORDS = 11;
const wave = (count: number, phase: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(2.3 * i + phase));
const x = wave(ROWS * WIDTH, 0.2);
const head = wave(WORDS * WIDTH, 1.1);
const targets = Int32Array.of(3, 0, IGNORED, 10, 4, 4, 7);
const weights = Float32Array.of(1, 0, 3, 0.5, 3, 1, 0.05);
const options = { ignoreIndex: IGNORED };

/** Σ wᵢ·(−log pᵢ) / Σ wᵢ by the definition, in f64. */
function reference(x: ArrayLike<number>, head: ArrayLike<number>, weights: ArrayLike<number>): number {
  let sum = 0;
  let all = 0;
  for (let row = 0; row < ROWS; row++) {
    if (targets[row] === IGNORED) continue;
    const logits = Array.from({ length: WORDS }, (_, word) =>
      Array.from({ length: WIDTH }, (_, i) => x[row * WIDTH + i]! * head[word * WIDTH + i]!).reduce((a, b) => a + b),
    );
    const normalizer = Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0));
    sum += weights[row]! * (normalizer - logits[targets[row]!]!);
    all += weights[row]!;
  }
  return sum / all;
}

/** d reference / d values[i] by central differences. */
function slopes(values: Float32Array, loss: (changed: Float64Array) => number): number[] {
  const step = 1e-5;
  return Array.from(values, (_, i) => {
    const at = (sign: number) => loss(Float64Array.from(values, (value, j) => value + (i === j ? sign * step : 0)));
    return (at(1) - at(-1)) / (2 * step);
  });
}

function tape(weights: Float32Array) {
  return scope(() => {
    const input = Tensor.from(x, [ROWS, WIDTH]);
    const matrix = Tensor.from(head, [WORDS, WIDTH]);
    input.requiresGrad = matrix.requiresGrad = true;
    const loss = weightedCrossEntropy(input, matrix, targets, weights, options);
    backward(loss);
    return { loss: loss.item(), x: [...input.grad!.arraySync()], head: [...matrix.grad!.arraySync()] };
  });
}

describe("weighted cross-entropy", () => {
  it("has the value of its definition and the gradients of central differences in f64", () => {
    const before = liveTensors();
    const got = tape(weights);
    expect(got.loss).toBeCloseTo(reference(x, head, weights), 5);
    slopes(x, (changed) => reference(changed, head, weights)).forEach((slope, i) =>
      expect(got.x[i]).toBeCloseTo(slope, 5),
    );
    slopes(head, (changed) => reference(x, changed, weights)).forEach((slope, i) =>
      expect(got.head[i]).toBeCloseTo(slope, 5),
    );
    expect(liveTensors()).toBe(before);
  });

  it("does not depend on the unit of the weights, and equals the plain loss where all are equal", () => {
    const doubled = tape(weights.map((weight) => 2 * weight));
    expect(doubled.loss).toBeCloseTo(tape(weights).loss, 6);
    const plain = scope(() =>
      linearCrossEntropy(
        Tensor.from(x, [ROWS, WIDTH]),
        Tensor.from(head, [WORDS, WIDTH]),
        Tensor.from(targets),
        options,
      ).item(),
    );
    expect(tape(new Float32Array(ROWS).fill(4)).loss).toBeCloseTo(plain, 6);
  });

  it("gives nothing to rows of weight 0, and is 0 where nothing counts", () => {
    const row = (of: number[], index: number) => of.slice(index * WIDTH, (index + 1) * WIDTH);
    const { x: gradient } = tape(weights);
    for (const index of [1, 2]) expect(row(gradient, index).every((value) => value === 0)).toBe(true);
    const nothing = tape(new Float32Array(ROWS));
    expect([nothing.loss, Math.hypot(...nothing.x), Math.hypot(...nothing.head)]).toEqual([0, 0, 0]);
  });

  it("is the loss of a model whose batch has weights", () => {
    using model = tinyModel();
    const tokens = tinyTokens(8);
    const loss = (weights: Float32Array | null) =>
      scope(() => model.loss({ tokens, targets: tokens, weights, batch: 1 }).item());
    const masked = scope(() =>
      model.loss({ tokens, targets: tokens.map((id, i) => (i < 4 ? IGNORED : id)), batch: 1 }).item(),
    );
    expect(loss(Float32Array.of(0, 0, 0, 0, 2, 2, 2, 2))).toBeCloseTo(masked, 5);
    expect(loss(null)).toBeCloseTo(loss(new Float32Array(8).fill(1)), 5);
    expect(() => loss(new Float32Array(7))).toThrow(ShapeError);
  });
});
