import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  cholesky,
  gram,
  gramAsync,
  InterruptedError,
  liveTensors,
  matmul,
  matmulAsync,
  NumericsError,
  OptionError,
  qr,
  randomizedSvd,
  ShapeError,
  solveTriangular,
  svd,
  symmetricEigen,
  Tensor,
  triangularInverse,
} from "nibble-lab";
import { largestDifference } from "../tiny-model.js";

let before = 0;
beforeEach(() => {
  before = liveTensors();
});
afterEach(() => expect(liveTensors()).toBe(before));

const matrix = (rows: number, columns: number, seed = 1) => Tensor.randomNormal([rows, columns], 1, seed);

describe("factorizations", () => {
  it("by hand", async () => {
    using a = Tensor.from([4, 0, 2, 5], [2, 2]);
    using l = await cholesky(a);
    expect([...l.arraySync()]).toEqual([2, 0, 1, 2]);
    using inverse = await triangularInverse(l);
    expect([...inverse.arraySync()]).toEqual([0.5, 0, -0.25, 0.5]);
    using b = Tensor.from([2, 5], [2, 1]);
    using x = await solveTriangular(l, b);
    expect([...x.arraySync()]).toEqual([1, 2]);
    using diagonal = Tensor.from([0, 2, -3, 0], [2, 2]);
    const { u, s, vt } = await svd(diagonal, { full: true });
    expect([...s.arraySync()]).toEqual([3, 2]);
    const { q, r } = await qr(diagonal);
    expect(largestDifference(r, [3, 0, 0, 2])).toBeLessThan(1e-6);
    const { values, vectors } = await symmetricEigen(a, { arithmetic: "f32" });
    expect(values.item.length).toBe(0);
    const [low, high] = values.arraySync() as Float32Array;
    expect(low! * high!).toBeCloseTo(4 * 5 - 2 * 2, 4);
    for (const tensor of [u, s, vt, q, r, values, vectors]) tensor.dispose();
  });

  it("put a matrix together again", async () => {
    using a = matrix(40, 25);
    const { u, s, vt } = await svd(a);
    const scaled = Float32Array.from(u.arraySync(), (value, i) => value * s.arraySync()[i % 25]!);
    using left = Tensor.from(scaled, [40, 25]);
    using again = matmul(left, vt);
    expect(largestDifference(again, a)).toBeLessThan(1e-5);
    const near = await randomizedSvd(a, 25, { seed: 3 });
    expect(largestDifference(near.s, s)).toBeLessThan(1e-4);
    for (const tensor of [u, s, vt, near.u, near.s, near.vt]) tensor.dispose();
  });

  it("name the pivot, the element, the shape, the option", async () => {
    using indefinite = Tensor.from([1, 0, 0, -1], [2, 2]);
    await expect(cholesky(indefinite)).rejects.toThrow(NumericsError);
    await expect(cholesky(indefinite)).rejects.toThrow("not positive definite: pivot 1 of 2");
    using broken = Tensor.from([1, Number.NaN, 0, 1], [2, 2]);
    await expect(svd(broken)).rejects.toThrow("a holds NaN at row 0, column 1");
    using wide = matrix(2, 3);
    await expect(cholesky(wide)).rejects.toThrow(ShapeError);
    await expect(randomizedSvd(wide, 3)).rejects.toThrow("[randomizedSvd] rank is 3. Expected 1 … 2.");
    await expect(cholesky(wide, { arithmetic: "f16" as never })).rejects.toThrow(OptionError);
  });
});

describe("jobs", () => {
  it("give what the synchronous form gives, and go on after their inputs were disposed of", async () => {
    const x = matrix(300, 20);
    using expected = gram(x);
    const running = gramAsync(x);
    x.dispose();
    using sum = await running;
    expect(largestDifference(sum, expected)).toBe(0);
    using twice = await matmulAsync(sum, sum, { transposeA: true });
    using product = matmul(sum, sum, { transposeA: true });
    expect(largestDifference(twice, product)).toBe(0);
  });

  it("stop by their signal, before and while they run, and leave nothing", async () => {
    using x = matrix(40_000, 256);
    await expect(gramAsync(x, { signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
    const controller = new AbortController();
    const running = gramAsync(x, { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toThrow(InterruptedError);
  });

  it("report their progress, and end by what the report throws", async () => {
    using x = matrix(400_000, 128);
    const seen: [number, number][] = [];
    using sum = await gramAsync(x, { progress: (done, total) => seen.push([done, total]) });
    expect(sum.shape).toEqual([128, 128]);
    for (const [done, total] of seen) expect(done).toBeLessThanOrEqual(total);
    const grumpy = () => {
      throw new RangeError("enough");
    };
    const outcome = await gramAsync(x, { progress: grumpy }).then(
      (tensor) => tensor.dispose(),
      (error: unknown) => error,
    );
    // A machine that finishes before the first report has nothing to complain about.
    if (outcome !== undefined) expect(outcome).toBeInstanceOf(RangeError);
  });
});
