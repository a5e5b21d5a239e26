import { describe, expect, it } from "vitest";
import { preprocessors, Random, Tensor } from "nibble-lab";
import { gram as gramOf } from "../../reference/gptq.js";
import { outputError } from "../../reference/gptq.js";
import { projectOntoL1Ball, proxOfLargest, reduceMagnitude } from "../../reference/magr.js";
import { inputsOf } from "./inputs.js";
import { largestDifference } from "../tiny-model.js";

const [ROWS, COLUMNS, TOKENS] = [6, 32, 20];
const random = new Random(15);
const weight = Float32Array.from({ length: ROWS * COLUMNS }, () => random.normal());
/** Fewer tokens than inputs: there are directions in which weights cost nothing. */
const x = Float32Array.from({ length: TOKENS * COLUMNS }, () => random.normal());
const gram = gramOf(x, COLUMNS);
const rootMeanSquare = Math.sqrt(weight.reduce((sum, w) => sum + w * w, 0) / weight.length);

/** By power iteration, long enough for double precision. */
const lambda = (() => {
  let v = Array.from({ length: COLUMNS }, (_, i) => 1 + (i % 3));
  let size = 0;
  for (let i = 0; i < 2000; i++) {
    const next = v.map((_, row) => v.reduce((sum, value, j) => sum + gram[row * COLUMNS + j]! * value, 0));
    size = Math.hypot(...next);
    v = next.map((value) => value / size);
  }
  return size;
})();

async function reduced(alpha: number, group: number, iterations: number, w = weight): Promise<Float32Array> {
  using inputs = inputsOf(x, COLUMNS);
  using tensor = Tensor.from(w, [ROWS, COLUMNS]);
  using result = await preprocessors.magr.apply(tensor, inputs, group, { alpha, iterations });
  return result.arraySync() as Float32Array;
}

describe("magr", () => {
  it.each([
    [0.05, 0],
    [0.5, 0],
    [20, 0],
    [0.2, 8],
  ])(
    "equals proximal gradient descent with Duchi's projection in float64: alpha %d, group %i",
    async (alpha, group) => {
      const options = { lambda, alpha: alpha * rootMeanSquare, iterations: 60, group: group === 0 ? COLUMNS : group };
      const expected = reduceMagnitude(weight, ROWS, COLUMNS, gram, options);
      // The largest eigenvalue by a short power iteration is a little smaller, so steps are a little longer.
      expect(largestDifference(await reduced(alpha, group, 60), expected)).toBeLessThan(5e-3);
    },
  );

  it("lowers the largest magnitude of every row and costs little of the output", async () => {
    const w = await reduced(0.1, 0, 200);
    const largest = (values: ArrayLike<number>, row: number) =>
      Math.max(...Array.from({ length: COLUMNS }, (_, j) => Math.abs(values[row * COLUMNS + j]!)));
    for (let row = 0; row < ROWS; row++) expect(largest(w, row)).toBeLessThan(0.8 * largest(weight, row));
    const zero = new Float32Array(weight.length);
    const size = outputError(weight, zero, ROWS, COLUMNS, gram);
    expect(outputError(w, weight, ROWS, COLUMNS, gram) / size).toBeLessThan(0.01);
  });

  it("leaves zeros alone", async () => {
    expect([...(await reduced(0.1, 0, 10, new Float32Array(weight.length)))].every((w) => w === 0)).toBe(true);
  });
});

describe("the reference's proximal map of α·max|v|", () => {
  it("minimizes ½|u − v|² + α·max|u|, against every point on a grid", () => {
    const v = [1.7, -0.4];
    const alpha = 0.6;
    const cost = (u: readonly number[]) =>
      0.5 * u.reduce((sum, value, i) => sum + (value - v[i]!) ** 2, 0) + alpha * Math.max(...u.map(Math.abs));
    const best = cost(proxOfLargest(v, alpha));
    for (let a = -2; a <= 2; a += 0.05)
      for (let b = -2; b <= 2; b += 0.05) expect(best).toBeLessThanOrEqual(cost([a, b]) + 1e-9);
  });
  it("comes from a projection that ends on the ball", () => {
    const projected = projectOntoL1Ball([3, -1, 0.5], 1);
    expect(projected.reduce((sum, value) => sum + Math.abs(value), 0)).toBeCloseTo(1, 12);
  });
});
