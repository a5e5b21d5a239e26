import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PackedWeight, quantizers, Random, scope, Tensor } from "nibble-lab";
import {
  decodeBlocks,
  doubleQuantizedScales,
  dynamicMap,
  NF4_VALUES,
  normalFloat,
  packNibbles,
  quantizeBlocks,
} from "../../reference/normal-float.js";
import { largestDifference } from "../tiny-model.js";

type Span = readonly ["f32" | "u8", number, number];
interface Golden {
  readonly levels: Span;
  readonly dynamicMap: Span;
  readonly cases: readonly {
    readonly format: string;
    readonly name: string;
    readonly shape: readonly number[];
    readonly block: 32 | 64;
    readonly nestedOffset: number;
    readonly [array: string]: unknown;
  }[];
}
const folder = new URL("../../native/golden/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("nf4.json", folder), "utf8")) as Golden;
const blob = readFileSync(new URL("nf4.bin", folder));

function read(span: unknown): Float32Array | Uint8Array {
  const [type, offset, count] = span as Span;
  const bytes = Uint8Array.from(blob.subarray(offset, offset + count * (type === "f32" ? 4 : 1)));
  return type === "f32" ? new Float32Array(bytes.buffer) : bytes;
}

describe("nf4", () => {
  it.each(golden.cases.filter(({ format }) => format === "nf4"))("has the bytes of bitsandbytes: $name", (one) => {
    scope(() => {
      // A vector counts as one row.
      const shape = one.shape.length === 1 ? [1, ...one.shape] : one.shape;
      const weights = Tensor.from(read(one["weights"]), shape);
      const plain = new PackedWeight(quantizers.nf4.quantize(weights, { blockSize: one.block, doubleQuant: false }));
      expect(plain.codes.arraySync()).toEqual(read(one["codes"]));
      expect(plain.scales.arraySync()).toEqual(read(one["scales"]));
      expect(largestDifference(plain.dequantize(), read(one["dequantized"]))).toBe(0);
      const nested = new PackedWeight(quantizers.nf4.quantize(weights, { blockSize: one.block, doubleQuant: true }));
      expect(nested.codes.arraySync()).toEqual(read(one["codes"]));
      expect(nested.scales.arraySync()).toEqual(read(one["nestedCodes"]));
      // PyTorch's mean depends on the machine's vector length: it may differ from the exact one by two units in the last place.
      const slack = 2 * one.nestedOffset * 2 ** -23;
      expect(Math.abs(nested.nestedOffset! - one.nestedOffset)).toBeLessThanOrEqual(slack);
      expect(largestDifference(nested.nestedScales!, read(one["nestedScales"]))).toBeLessThanOrEqual(2 * slack);
      expect(largestDifference(nested.dequantize(), read(one["nestedDequantized"]))).toBeLessThanOrEqual(4 * slack);
    });
  });

  it("has the levels that quantiles of the normal distribution give, and bitsandbytes' dynamic map", () => {
    expect(largestDifference(normalFloat(4), NF4_VALUES)).toBeLessThan(2e-7);
    expect(largestDifference(read(golden.levels), NF4_VALUES)).toBeLessThan(1e-7);
    expect(largestDifference(read(golden.dynamicMap), dynamicMap())).toBeLessThan(1e-7);
  });

  it.each([32, 64, 128] as const)("equals its definition in blocks of %d", (block) => {
    const random = new Random(block);
    const weights = Float32Array.from({ length: 10 * 100 }, () => random.normal() * 0.02);
    const grid = quantizeBlocks(weights, block);
    scope(() => {
      const plain = new PackedWeight(
        quantizers.nf4.quantize(Tensor.from(weights, [10, 100]), { blockSize: block, doubleQuant: false }),
      );
      expect(plain.codes.arraySync()).toEqual(packNibbles(grid.codes));
      expect([...plain.scales.arraySync()]).toEqual([...grid.scales]);
      expect(largestDifference(plain.dequantize(), decodeBlocks(grid, block))).toBeLessThan(1e-8);
      const nested = new PackedWeight(
        quantizers.nf4.quantize(Tensor.from(weights, [10, 100]), { blockSize: block, doubleQuant: true }),
      );
      const scales = doubleQuantizedScales(grid.scales);
      expect(largestDifference(nested.dequantize(), decodeBlocks(grid, block, scales))).toBeLessThan(1e-8);
    });
  });

  it("takes 4.5 bits a weight, and 4.127 with double quantization", () => {
    scope(() => {
      const weights = Tensor.randomNormal([512, 512], 1, 0);
      const bits = [false, true].map(
        (doubleQuant) =>
          new PackedWeight(quantizers.nf4.quantize(weights, { blockSize: 64, doubleQuant })).bitsPerWeight,
      );
      expect(bits[0]).toBe(4.5);
      expect(bits[1]).toBeCloseTo(4 + 8 / 64 + 32 / (64 * 256), 3);
    });
  });
});
