import { describe, expect, it } from "vitest";
import { initializers, OptionError, scope, ShapeError, type InitializerName, type Tensor } from "nibble-lab";

const SHAPE = [400, 250] as const;
const COUNT = SHAPE[0] * SHAPE[1];

function moments(tensor: Tensor): { mean: number; std: number; most: number } {
  const values = tensor.arraySync();
  let [sum, squares, most] = [0, 0, 0];
  for (const value of values) {
    sum += value;
    squares += value * value;
    most = Math.max(most, Math.abs(value));
  }
  const mean = sum / values.length;
  return { mean, std: Math.sqrt(squares / values.length - mean ** 2), most };
}

type Draw = (seed: number) => Tensor;
const cases: [InitializerName, Draw, number, number][] = [
  ["normal", (seed) => initializers.normal(SHAPE, { seed, std: 0.3 }), 0.3, Infinity],
  ["uniform", (seed) => initializers.uniform(SHAPE, { seed, low: -2, high: 2 }), 4 / Math.sqrt(12), 2],
  ["truncatedNormal", (seed) => initializers.truncatedNormal(SHAPE, { seed, std: 1 }), Math.sqrt(0.7737413), 2],
  ["xavierNormal", (seed) => initializers.xavierNormal(SHAPE, { seed }), Math.sqrt(2 / 650), Infinity],
  ["xavierUniform", (seed) => initializers.xavierUniform(SHAPE, { seed }), Math.sqrt(2 / 650), Math.sqrt(6 / 650)],
  ["kaimingNormal", (seed) => initializers.kaimingNormal(SHAPE, { seed }), Math.sqrt(2 / 250), Infinity],
  ["kaimingUniform", (seed) => initializers.kaimingUniform(SHAPE, { seed }), Math.sqrt(2 / 250), Math.sqrt(6 / 250)],
];

describe("initializers", () => {
  it.each(cases)("%s has its distribution's moments and bounds, and its seed decides", (_, draw, std, bound) => {
    scope(() => {
      const tensor = draw(3);
      const seen = moments(tensor);
      // Five standard errors.
      expect(Math.abs(seen.mean)).toBeLessThan((5 * std) / Math.sqrt(COUNT));
      expect(Math.abs(seen.std / std - 1)).toBeLessThan(5 / Math.sqrt(2 * COUNT));
      expect(seen.most).toBeLessThanOrEqual(bound * (1 + 1e-6));
      expect(draw(3).arraySync()).toEqual(tensor.arraySync());
      expect(draw(4).arraySync()).not.toEqual(tensor.arraySync());
    });
  });

  it("orthogonal has orthonormal rows or columns times its gain", () => {
    scope(() => {
      const [rows, columns] = [9, 30];
      const q = initializers.orthogonal([rows, columns], { seed: 1, gain: 3 }).arraySync();
      for (let a = 0; a < rows; a++) {
        for (let b = 0; b < rows; b++) {
          let dot = 0;
          for (let j = 0; j < columns; j++) dot += q[a * columns + j]! * q[b * columns + j]!;
          expect(dot).toBeCloseTo(a === b ? 9 : 0, 4);
        }
      }
    });
  });

  it("zeros are zeros, and carry their owner", () => {
    scope(() => {
      const tensor = initializers.zeros([3], {}, { owner: "mine" });
      expect([...tensor.arraySync(), tensor.owner, tensor.category]).toEqual([0, 0, 0, "mine", "weights"]);
    });
  });

  it("refuse what has no fans and no spread", () => {
    expect(() => initializers.kaimingNormal([3], { seed: 1 })).toThrow(ShapeError);
    expect(() => initializers.orthogonal([2, 3, 4], { seed: 1 })).toThrow(ShapeError);
    expect(() => initializers.normal([3], { seed: 1, std: -1 })).toThrow(OptionError);
    expect(() => initializers.uniform([3], { seed: 0.5 })).toThrow(OptionError);
  });
});
