import { describe, expect, it } from "vitest";
import { PackedWeight, quantizers, Random, scope, ShapeError, Tensor, type RtnOptions } from "nibble-lab";
import { decodeIntegers, fitGrid, gridError, gridRule, packRows, roundToNearest } from "../../reference/rtn.js";

const ROWS = 6;
const COLUMNS = 48;
const random = new Random(3);
const normal = Float32Array.from({ length: ROWS * COLUMNS }, () => random.normal());
/** One row a kind: constant, constant negative, zeros, all positive, one outlier, all negative. */
const awkward = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => {
  const column = i % COLUMNS;
  const kinds = [0.3, -0.7, 0, 1 + column / COLUMNS, column === 5 ? 100 : normal[i]!, -2 - Math.abs(normal[i]!)];
  return kinds[Math.floor(i / COLUMNS)]!;
});

const cases = ([2, 3, 4, 5, 6, 8] as const).flatMap((bits) =>
  (["channel", 8, 16, 24] as const).flatMap((group) =>
    ([false, true, "restricted"] as const).map((symmetric) => ({ bits, group, symmetric })),
  ),
);
const symmetryOf = (symmetric: boolean | "restricted") =>
  symmetric === "restricted" ? "restricted" : symmetric ? "symmetric" : "asymmetric";

function packed(
  weights: Float32Array,
  options: Omit<Required<RtnOptions>, "search">,
  search: "minmax" | "mse" = "minmax",
) {
  return new PackedWeight(quantizers.rtn.quantize(Tensor.from(weights, [ROWS, COLUMNS]), { ...options, search }));
}

describe("rtn", () => {
  it.each(cases)(
    "equals its definition: $bits bits, group $group, symmetric $symmetric",
    ({ bits, group, symmetric }) => {
      scope(() => {
        for (const weights of [normal, awkward]) {
          const weight = packed(weights, { bits, group, symmetric });
          const grid = roundToNearest(weights, ROWS, COLUMNS, {
            group: group === "channel" ? 0 : group,
            rule: gridRule(bits, symmetryOf(symmetric)),
          });
          expect([...weight.scales.arraySync()]).toEqual([...grid.scales]);
          expect([...weight.zeroPoints!.arraySync()]).toEqual([...grid.zeroPoints]);
          expect(weight.codes.arraySync()).toEqual(packRows(grid.codes, ROWS, COLUMNS, bits));
          const expected = decodeIntegers(grid, ROWS, COLUMNS);
          expect([...weight.dequantize().arraySync()]).toEqual(Array.from(expected, Math.fround));
        }
      });
    },
  );

  it.each(cases)("is within a step of every weight: $bits bits, group $group, symmetric $symmetric", (options) => {
    scope(() => {
      const weight = packed(normal, options);
      const decoded = weight.dequantize().arraySync();
      const scales = weight.scales.arraySync();
      const inputs = options.group === "channel" ? COLUMNS : options.group;
      normal.forEach((value, i) => {
        const scale = scales[Math.floor(i / inputs)]!;
        // Half a step of rounding, and half a step that the zero-point's rounding may take from the ends of the range.
        expect(Math.abs(value - decoded[i]!)).toBeLessThanOrEqual(scale * 1.00001);
      });
    });
  });

  it.each(cases)("finds the grid of least squared error: $bits bits, group $group, symmetric $symmetric", (options) => {
    scope(() => {
      const rule = gridRule(options.bits, symmetryOf(options.symmetric), "mse");
      const inputs = options.group === "channel" ? COLUMNS : options.group;
      for (const weights of [normal, awkward]) {
        const weight = packed(weights, options, "mse");
        const [scales, zeros] = [weight.scales.arraySync(), weight.zeroPoints!.arraySync()];
        scales.forEach((scale, cell) => {
          const values = [...weights.slice(cell * inputs, (cell + 1) * inputs)];
          const least = gridError(values, fitGrid(values, rule), rule);
          const ours = gridError(values, { scale, zero: zeros[cell]! }, rule);
          // Candidates that tie in float32 may differ in float64.
          expect(ours).toBeLessThanOrEqual(least * (1 + 1e-5) + 1e-12);
        });
      }
    });
  });

  it("reaches both ends where it is restricted, and has a level less", () => {
    scope(() => {
      const weights = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => (i % 2 === 0 ? 1 : -1) * (i % COLUMNS));
      const decoded = packed(weights, { bits: 2, group: "channel", symmetric: "restricted" }).dequantize().arraySync();
      expect([...new Set(decoded)].sort((a, b) => a - b)).toEqual([-47, 0, 47]);
    });
  });

  it("keeps zero exactly, and groups of one value", () => {
    scope(() => {
      for (const search of ["minmax", "mse"] as const) {
        const weight = packed(awkward, { bits: 2, group: "channel", symmetric: false }, search);
        const decoded = weight.dequantize().arraySync();
        for (const row of [0, 1, 2]) {
          const start = row * COLUMNS;
          expect([...decoded.slice(start, start + COLUMNS)]).toEqual([...awkward.slice(start, start + COLUMNS)]);
        }
      }
    });
  });

  it("refuses a group that does not divide a row, with the ones that do", () => {
    const layers = [
      { name: "a", rows: 4, columns: 64 },
      { name: "b", rows: 4, columns: 96 },
    ];
    const check = () => quantizers.rtn.checkLayers(layers, { bits: 4, group: 64, symmetric: false, search: "minmax" });
    expect(check).toThrow(ShapeError);
    expect(check).toThrow(
      '[quantize] group is 64, but the rows of b have 96 inputs. Allowed for all chosen layers: 8, 16, 32, "channel".',
    );
  });
});
