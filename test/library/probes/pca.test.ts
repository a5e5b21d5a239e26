import { describe, expect, it } from "vitest";
import { pca, Random, scope, ShapeError, Tensor } from "nibble-lab";
import { referencePca } from "../../reference/pca.js";
import { largestDifference } from "../tiny-model.js";

function points(rows: number, columns: number): Float32Array {
  const random = new Random(rows + columns);
  // Axes of falling size, mixed by a shear, around a centre that is not 0.
  const raw = Array.from({ length: rows }, () => Array.from({ length: columns }, (_, i) => random.normal() / (i + 1)));
  return Float32Array.from(raw.flatMap((row) => row.map((value, i) => 3 + value + 0.4 * (row[i - 1] ?? 0))));
}

describe("pca", () => {
  it.each([
    [60, 7, 3],
    [60, 7, 7],
    [5, 12, 4],
    [2, 3, 1],
  ])(
    "equals Jacobi's rotations of the covariance: %d points in %d dimensions, %d components",
    (rows, columns, components) => {
      const x = points(rows, columns);
      const expected = referencePca(x, rows, columns, components);
      scope(() => {
        const data = Tensor.from(x, [rows, columns]);
        using basis = pca(data, { components });
        expect(largestDifference(basis.mean, expected.mean)).toBeLessThan(1e-5);
        expected.components.forEach((component, i) => {
          const ours = basis.components.arraySync().slice(i * columns, (i + 1) * columns);
          expect(largestDifference(ours, component)).toBeLessThan(1e-4);
        });
        basis.explained.forEach((share, i) =>
          expect(share).toBeCloseTo(expected.variances[i]! / expected.totalVariance, 5),
        );
        const projected = basis.project(data).arraySync();
        for (let point = 0; point < rows; point++)
          expected.components.forEach((component, i) => {
            const coordinate = component.reduce(
              (sum, entry, j) => sum + entry * (x[point * columns + j]! - expected.mean[j]!),
              0,
            );
            expect(projected[point * components + i]).toBeCloseTo(coordinate, 3);
          });
      });
    },
  );

  it("refuses more components than points or dimensions, and other widths", () => {
    scope(() => {
      const x = Tensor.from(points(4, 6), [4, 6]);
      expect(() => pca(x, { components: 5 })).toThrow(ShapeError);
      expect(() => pca(Tensor.from([1, 2, 3]))).toThrow("[pca] x has shape [3] for 3 components.");
      using basis = pca(x, { components: 2 });
      expect(() => basis.project(Tensor.zeros([4, 5]))).toThrow("x has shape [4, 5]. Allowed: [n, 6]");
    });
  });
});
