import { describe, expect, it } from "vitest";
import { PackedWeight, quantizers, Random, scope, Tensor } from "nibble-lab";
import { halfQuadratic } from "../../reference/hqq.js";

const [ROWS, COLUMNS] = [5, 64];
const random = new Random(4);
/** Some large enough for the shrinkage to keep part of the error. */
const heavy = Float32Array.from({ length: ROWS * COLUMNS }, () => 3 * random.normal() ** 3);
const small = heavy.map((value) => 0.01 * value);

function groups(
  weights: Float32Array,
  options: { bits: 2 | 3 | 4 | 5 | 6 | 8; group: number; p?: number; iterations?: number },
) {
  const { bits, group, p = 0.7, iterations = 20 } = options;
  return scope(() => {
    const weight = Tensor.from(weights, [ROWS, COLUMNS]);
    const packed = new PackedWeight(quantizers.hqq.quantize(weight, { bits, group, p, iterations }));
    const [scales, zeros] = [packed.scales.arraySync(), packed.zeroPoints!.arraySync()];
    const decoded = packed.dequantize().arraySync();
    return Array.from(scales, (scale, cell) => {
      const values = [...weights.slice(cell * group, (cell + 1) * group)];
      const own = decoded.slice(cell * group, (cell + 1) * group);
      const error = values.reduce((sum, value, i) => sum + Math.abs(value - own[i]!), 0) / group;
      return { values, scale, zero: zeros[cell]!, error };
    });
  });
}

describe("hqq", () => {
  it.each([2, 3, 4, 5, 6, 8] as const)("equals its definition in float64, group by group: %i bits", (bits) => {
    const apart: number[] = [];
    for (const weights of [heavy, small])
      for (const group of [16, 64])
        for (const { values, scale, zero, error } of groups(weights, { bits, group })) {
          const expected = halfQuadratic(values, { bits, p: 0.7, iterations: 20 });
          expect(scale).toBe(Math.fround(expected.scale));
          expect(error).toBeLessThanOrEqual(expected.error * 1.02);
          apart.push(Math.abs(zero - expected.zero));
        }
    // A level that ties may fall either way in float32 and lead to another zero-point; never to more error.
    expect(apart.filter((distance) => distance < 0.01).length).toBeGreaterThan(0.8 * apart.length);
  });

  it("never has more error than its start, the min-max grid with a zero-point that is not whole", () => {
    const improved = groups(heavy, { bits: 2, group: 64 });
    const started = groups(heavy, { bits: 2, group: 64, iterations: 0 });
    improved.forEach(({ error }, i) => expect(error).toBeLessThanOrEqual(started[i]!.error));
    const sum = (cells: typeof improved) => cells.reduce((total, { error }) => total + error, 0);
    expect(sum(improved)).toBeLessThan(0.95 * sum(started));
    expect(improved.some(({ zero }) => zero % 1 !== 0)).toBe(true);
  });

  it("keeps constant and zero groups exactly, and one-sided and outlier groups within a step", () => {
    const awkward = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => {
      const column = i % COLUMNS;
      return [0, -0.3, 5 + column / COLUMNS, column === 7 ? 1000 : small[i]!, -2 - column][Math.floor(i / COLUMNS)]!;
    });
    const cells = groups(awkward, { bits: 3, group: 64 });
    expect(cells.slice(0, 2).map(({ error }) => error)).toEqual([0, 0]);
    for (const { scale, error } of cells) expect(error).toBeLessThanOrEqual(scale);
  });
});
