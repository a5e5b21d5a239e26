import { expect, it } from "vitest";
import { Random } from "nibble-lab";

it("repeats itself for a seed and differs between seeds, large ones included", () => {
  const draw = (seed: number) =>
    Array.from(
      { length: 4 },
      (
        (random) => () =>
          random.bits()
      )(new Random(seed)),
    );
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  expect(draw(7)).not.toEqual(draw(7 + 2 ** 33));
});

it("is uniform and normal to the accuracy of its sample", () => {
  const random = new Random(1);
  const count = 20000;
  const uniform = Array.from({ length: count }, () => random.uniform());
  const normal = Array.from({ length: count }, () => random.normal());
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  // Five standard errors.
  expect(Math.abs(mean(uniform) - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / count));
  expect(Math.abs(mean(normal))).toBeLessThan(5 / Math.sqrt(count));
  expect(Math.abs(mean(normal.map((x) => x * x)) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  expect(uniform.every((x) => x >= 0 && x < 1)).toBe(true);
});

it("shuffles without losing anything", () => {
  const shuffled = new Random(3).shuffle([1, 2, 3, 4, 5, 6]);
  expect(shuffled).not.toEqual([1, 2, 3, 4, 5, 6]);
  expect([...shuffled].sort()).toEqual([1, 2, 3, 4, 5, 6]);
});
