import { describe, expect, it } from "vitest";
import { Random, Tensor } from "nibble-lab";
import { nearestOutputs } from "../../../../kernel/library/lib/tuners/initializers/cloq.js";
import { lowRank } from "../../../../kernel/library/lib/tuners/initializers/low-rank.js";
import { cloqProduct, gramOf, outputDistance, singularValues } from "../../../reference/cloq.js";
import { largestDifference } from "../../tiny-model.js";

const [OUT, IN, TOKENS, RANK] = [10, 8, 40, 3];
const random = new Random(17);
const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal());
/** W − Ŵ [out, in], and inputs [tokens, in] whose columns differ in size. */
const missing = normal(OUT * IN);
const inputs = normal(TOKENS * IN).map((value, i) => value * (1 + (i % IN)));
const identity = Float32Array.from({ length: IN * IN }, (_, i) => (i % (IN + 1) === 0 ? 1 : 0));
const options = { damping: 0, split: "left" } as const;

const tensor = (values: Float32Array, ...shape: number[]) => Tensor.from(values, shape);
const gram = (x: Float32Array) => tensor(Float32Array.from(gramOf(x, IN)), IN, IN);
/** B·A [out, in] */
function productOf({ a, b }: { readonly a: Tensor; readonly b: Tensor }): number[] {
  const [A, B] = [a.arraySync(), b.arraySync()];
  return Array.from({ length: OUT * IN }, (_, i) => {
    const [row, column] = [Math.floor(i / IN), i % IN];
    return Array.from({ length: RANK }, (_, r) => B[row * RANK + r]! * A[r * IN + column]!).reduce((x, y) => x + y, 0);
  });
}

describe("cloq", () => {
  it("is the closed form of the paper, and leaves exactly the singular values beyond its rank", async () => {
    const start = await nearestOutputs(tensor(missing, OUT, IN), gram(inputs), RANK, options);
    const product = productOf(start);
    expect(largestDifference(product, cloqProduct(missing, inputs, OUT, IN, RANK))).toBeLessThan(1e-4);
    const left = outputDistance(
      inputs,
      missing.map((value, i) => value - product[i]!),
      OUT,
      IN,
    );
    const tail = singularValues(missing, inputs, OUT, IN).slice(RANK);
    expect(left ** 2 / tail.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 4);
    expect(start.predicted! / left).toBeCloseTo(1, 4);
  });

  it("is nearer than every product of that rank beside it", async () => {
    const { a, b } = await nearestOutputs(tensor(missing, OUT, IN), gram(inputs), RANK, options);
    const distance = (factors: { readonly a: Tensor; readonly b: Tensor }) => {
      const product = productOf(factors);
      return outputDistance(
        inputs,
        missing.map((value, i) => value - product[i]!),
        OUT,
        IN,
      );
    };
    const best = distance({ a, b });
    const moved = (x: Tensor) =>
      tensor(
        Float32Array.from(x.arraySync(), (value) => value + 0.02 * random.normal()),
        ...x.shape,
      );
    for (let trial = 0; trial < 20; trial++) expect(distance({ a: moved(a), b: moved(b) })).toBeGreaterThan(best);
  });

  it("is the SVD of what is missing where H is the identity, and for λ → ∞", async () => {
    const svd = productOf(await lowRank(tensor(missing, OUT, IN), RANK));
    const alike = productOf(await nearestOutputs(tensor(missing, OUT, IN), tensor(identity, IN, IN), RANK, options));
    expect(largestDifference(alike, svd)).toBeLessThan(1e-5);
    const distances = [];
    for (const damping of [1, 1e2, 1e4, 1e6]) {
      const damped = await nearestOutputs(tensor(missing, OUT, IN), gram(inputs), RANK, { ...options, damping });
      distances.push(largestDifference(productOf(damped), svd));
    }
    expect(distances.at(-1)).toBeLessThan(1e-5);
    for (let i = 1; i < distances.length; i++) expect(distances[i]).toBeLessThan(distances[i - 1]!);
  });

  it("gives the same product however the singular values are shared out", async () => {
    const products = [];
    const sizes = [];
    for (const split of ["left", "even", "right"] as const) {
      const start = await nearestOutputs(tensor(missing, OUT, IN), gram(inputs), RANK, { ...options, split });
      products.push(productOf(start));
      sizes.push(Math.hypot(...start.b.arraySync()));
    }
    expect(largestDifference(products[0]!, products[1]!)).toBeLessThan(1e-4);
    expect(largestDifference(products[0]!, products[2]!)).toBeLessThan(1e-4);
    // B = V_r has orthonormal columns.
    expect(sizes[0]).toBeCloseTo(Math.sqrt(RANK), 4);
    expect(sizes[2]).toBeGreaterThan(sizes[1]!);
  });

  it("leaves out directions that no token has", async () => {
    // Fewer tokens than inputs: H has rank 4.
    const few = inputs.slice(0, 4 * IN);
    const start = await nearestOutputs(tensor(missing, OUT, IN), gram(few), RANK, options);
    const product = productOf(start);
    expect(product.every(Number.isFinite)).toBe(true);
    const left = outputDistance(
      few,
      missing.map((value, i) => value - product[i]!),
      OUT,
      IN,
    );
    const tail = singularValues(missing, few, OUT, IN).slice(RANK);
    expect(left / Math.hypot(...tail)).toBeCloseTo(1, 3);
    expect(Math.hypot(...start.a.arraySync())).toBeLessThan(100);
  });
});
