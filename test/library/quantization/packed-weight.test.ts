import { describe, expect, it } from "vitest";
import {
  backward,
  DisposedError,
  liveTensors,
  multiply,
  noGrad,
  PackedWeight,
  quantizers,
  Random,
  ScaleAdapter,
  scope,
  sum,
  Tensor,
} from "nibble-lab";
import { inputGradient, linear, scaleGradient } from "../../reference/peqa.js";
import { gridRule, roundToNearest } from "../../reference/rtn.js";
import { largestDifference } from "../tiny-model.js";

const [TOKENS, ROWS, COLUMNS] = [5, 12, 64];
const random = new Random(11);
const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const [weights, inputs, direction] = [numbers(ROWS * COLUMNS), numbers(TOKENS * COLUMNS), numbers(TOKENS * ROWS)];

const formats = {
  "int2 per channel": () =>
    quantizers.rtn.quantize(dense(), { bits: 2, group: "channel", symmetric: false, search: "minmax" }),
  "int3, groups of 16": () =>
    quantizers.rtn.quantize(dense(), { bits: 3, group: 16, symmetric: false, search: "minmax" }),
  "int4, groups of 32": () =>
    quantizers.rtn.quantize(dense(), { bits: 4, group: 32, symmetric: true, search: "minmax" }),
  "int8 per channel": () =>
    quantizers.rtn.quantize(dense(), { bits: 8, group: "channel", symmetric: false, search: "minmax" }),
  nf4: () => quantizers.nf4.quantize(dense(), { blockSize: 32, doubleQuant: false }),
  "nf4 with double quantization": () => quantizers.nf4.quantize(dense(), { blockSize: 32, doubleQuant: true }),
};
const names = Object.keys(formats) as (keyof typeof formats)[];

function dense(): Tensor {
  return Tensor.from(weights, [ROWS, COLUMNS]);
}
/** Σ y·direction: a loss whose dY is `direction`. */
function along(y: Tensor): Tensor {
  return sum(multiply(y, Tensor.from(direction, [TOKENS, ROWS])));
}
/** Gives the weight a relative change that trains and is 0 so far. */
function changed(packed: PackedWeight): Tensor {
  const delta = Tensor.zeros(packed.scales.shape);
  delta.requiresGrad = true;
  packed.adapter = new ScaleAdapter({ delta }, 0);
  return delta;
}

describe("PackedWeight", () => {
  it.each(names)("multiplies like the decoded weight, forward and backward: %s", (name) => {
    scope(() => {
      const packed = new PackedWeight(formats[name]());
      const decoded = packed.dequantize().arraySync();
      const x = Tensor.from(inputs, [TOKENS, COLUMNS]);
      x.requiresGrad = true;
      const y = packed.forward(x);
      expect(largestDifference(y, linear(inputs, decoded, TOKENS, ROWS, COLUMNS))).toBeLessThan(2e-5);
      backward(along(y));
      expect(largestDifference(x.grad!, inputGradient(direction, decoded, TOKENS, ROWS, COLUMNS))).toBeLessThan(2e-5);
    });
  });

  it.each([0, 16])("has the scale gradient of the definition, absolute and relative: group %d", (group) => {
    scope(() => {
      const grid = roundToNearest(weights, ROWS, COLUMNS, { group, rule: gridRule(3) });
      const expected = scaleGradient(direction, inputs, grid, TOKENS, ROWS, COLUMNS);
      const options = { bits: 3, group: group === 0 ? "channel" : group, symmetric: false, search: "minmax" } as const;
      const absolute = new PackedWeight(quantizers.rtn.quantize(dense(), options));
      absolute.scales.requiresGrad = true;
      backward(along(absolute.forward(Tensor.from(inputs, [TOKENS, COLUMNS]))));
      expect(largestDifference(absolute.scales.grad!, expected)).toBeLessThan(2e-4);

      const relative = new PackedWeight(quantizers.rtn.quantize(dense(), options));
      const delta = changed(relative);
      backward(along(relative.forward(Tensor.from(inputs, [TOKENS, COLUMNS]))));
      const chained = expected.map((gradient, i) => gradient * grid.scales[i]!);
      expect(largestDifference(delta.grad!, chained)).toBeLessThan(2e-4);
    });
  });

  it("computes the relative gradient although its scales were freed with the scope of the forward pass", () => {
    scope(() => {
      const packed = new PackedWeight(formats["int3, groups of 16"]());
      const delta = changed(packed);
      const x = Tensor.from(inputs, [TOKENS, COLUMNS]);
      x.requiresGrad = true;
      backward(along(scope(() => packed.forward(x))));
      expect(delta.grad).not.toBeNull();
      expect(x.grad).not.toBeNull();
    });
  });

  it("is the same weight at δ = 0, and after δ was folded in", () => {
    scope(() => {
      const packed = new PackedWeight(formats["int2 per channel"]());
      const x = Tensor.from(inputs, [TOKENS, COLUMNS]);
      const forward = () => noGrad(() => packed.forward(x).arraySync());
      const [plain, hash] = [forward(), packed.codesHash()];
      const delta = changed(packed);
      expect(forward()).toEqual(plain);
      delta.write(Float32Array.from({ length: ROWS }, (_, i) => 0.01 * (i - 4)));
      const [moved, decoded] = [forward(), packed.dequantize().arraySync()];
      expect(moved).not.toEqual(plain);
      const merged = packed.merged();
      expect(merged.adapter).toBeNull();
      expect(noGrad(() => merged.forward(x).arraySync())).toEqual(moved);
      expect(merged.dequantize().arraySync()).toEqual(decoded);
      expect([merged.codesHash(), packed.codesHash()]).toEqual([hash, hash]);
      expect(forward()).toEqual(moved);
    });
  });

  it("keeps the stored grid below an adapter, which a shared weight does not see", () => {
    scope(() => {
      const packed = new PackedWeight(formats["int4, groups of 32"]());
      const twin = packed.share();
      const [before, scales] = [twin.dequantize().arraySync(), packed.scales.arraySync()];
      changed(packed).write(new Float32Array(packed.scales.size).fill(0.5));
      expect(packed.dequantize().arraySync()).not.toEqual(before);
      expect(twin.dequantize().arraySync()).toEqual(before);
      expect(packed.scales.arraySync()).toEqual(scales);
    });
  });

  it("brings scales that an update moved to 0 or below back above it", () => {
    scope(() => {
      const packed = new PackedWeight(formats["int2 per channel"]());
      const delta = changed(packed);
      delta.write(Float32Array.from({ length: ROWS }, (_, i) => -2 + 0.5 * i));
      packed.constrain();
      expect([...delta.arraySync()]).toEqual(
        Array.from({ length: ROWS }, (_, i) => Math.max(Math.fround(-0.999), -2 + 0.5 * i)),
      );
      const scales = Tensor.full(packed.scales.shape, -1);
      packed.adapter = new ScaleAdapter({ scales }, 1e-3);
      packed.constrain();
      expect([...scales.arraySync()].every((scale) => scale === Math.fround(1e-3))).toBe(true);
    });
  });

  it.each([0, 16])("has the zero-point gradient of central differences: group %d", (group) => {
    scope(() => {
      const options = { bits: 3, group: group === 0 ? "channel" : group, symmetric: false, search: "minmax" } as const;
      const packed = new PackedWeight(quantizers.rtn.quantize(dense(), options));
      const zeroPoints = Tensor.from(packed.zeroPoints!.arraySync(), packed.zeroPoints!.shape);
      zeroPoints.requiresGrad = true;
      packed.adapter = new ScaleAdapter({ zeroPoints }, 0);
      const loss = () => along(packed.forward(Tensor.from(inputs, [TOKENS, COLUMNS])));
      backward(loss());
      const gradient = zeroPoints.grad!.arraySync();
      // The loss is linear in a zero-point, so a wide step is exact but for rounding.
      const start = Float32Array.from(zeroPoints.arraySync());
      const differences = Array.from(start, (_, i) => {
        const at = (step: number) => {
          zeroPoints.write(start.with(i, start[i]! + step));
          return noGrad(() => loss().item());
        };
        return (at(1) - at(-1)) / 2;
      });
      expect(largestDifference(gradient, differences)).toBeLessThan(2e-4);
    });
  });

  it("hashes codes and zero-points, not scales", () => {
    scope(() => {
      const packed = new PackedWeight(formats["int2 per channel"]());
      const hash = packed.codesHash();
      expect(hash).toMatch(/^[0-9a-f]{64}$/);
      packed.scales.write(Float32Array.from(packed.scales.arraySync(), (scale) => scale * 2));
      expect(packed.codesHash()).toBe(hash);
      const codes = packed.codes.arraySync().slice() as Uint8Array;
      codes[3]! ^= 1;
      packed.codes.write(codes);
      expect(packed.codesHash()).not.toBe(hash);
    });
  });

  it("lives on when the one that it was shared from is gone, and frees everything at the end", () => {
    using weight = dense();
    const before = liveTensors();
    const packed = new PackedWeight(quantizers.nf4.quantize(weight, { blockSize: 32, doubleQuant: true }));
    const twin = packed.share();
    packed.dispose();
    expect(() => packed.codesHash()).toThrow(DisposedError);
    expect(twin.codesHash()).toHaveLength(64);
    twin.dispose();
    twin.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("counts all that decoding reads, and says so", () => {
    scope(() => {
      const packed = new PackedWeight(formats["int2 per channel"]());
      expect(packed.bytes).toBe((ROWS * COLUMNS) / 4 + ROWS * 4 * 2);
      expect(String(packed)).toBe(`PackedWeight [${ROWS}, ${COLUMNS}] int2, a scale a row, 288 B, 3.00 bits a weight`);
    });
  });
});
