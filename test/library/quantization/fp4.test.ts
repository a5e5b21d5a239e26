import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PackedWeight, quantizers, Random, scope, Tensor } from "nibble-lab";
import { largestDifference } from "../tiny-model.js";

type Span = readonly ["f32" | "u8", number, number];
interface Case {
  readonly format: string;
  readonly name: string;
  readonly shape: readonly number[];
  readonly block: 32 | 64;
  readonly [array: string]: unknown;
}
const folder = new URL("../../native/golden/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("nf4.json", folder), "utf8")) as { readonly cases: readonly Case[] };
const blob = readFileSync(new URL("nf4.bin", folder));

function read(span: unknown): Float32Array | Uint8Array {
  const [type, offset, count] = span as Span;
  const bytes = Uint8Array.from(blob.subarray(offset, offset + count * (type === "f32" ? 4 : 1)));
  return type === "f32" ? new Float32Array(bytes.buffer) : bytes;
}

/** OCP's E2M1 magnitudes by code. */
const MAGNITUDES = [0, 0.5, 1, 1.5, 2, 3, 4, 6];

describe("fp4", () => {
  const cases = golden.cases.filter(({ format }) => format === "fp4");
  it("has golden files", () => expect(cases.length).toBeGreaterThan(3));

  it.each(cases)("has the bytes of bitsandbytes: $name", (one) => {
    scope(() => {
      const shape = one.shape.length === 1 ? [1, ...one.shape] : one.shape;
      const weights = Tensor.from(read(one["weights"]), shape);
      const options = { blockSize: one.block, levels: "bitsandbytes" } as const;
      const plain = new PackedWeight(quantizers.fp4.quantize(weights, { ...options, doubleQuant: false }));
      expect(plain.codes.arraySync()).toEqual(read(one["codes"]));
      expect(plain.scales.arraySync()).toEqual(read(one["scales"]));
      expect(largestDifference(plain.dequantize(), read(one["dequantized"]))).toBe(0);
      const nested = new PackedWeight(quantizers.fp4.quantize(weights, { ...options, doubleQuant: true }));
      expect(nested.codes.arraySync()).toEqual(read(one["codes"]));
      expect(nested.scales.arraySync()).toEqual(read(one["nestedCodes"]));
    });
  });

  it("takes the nearest of OCP's levels, every block reaching the largest", () => {
    const random = new Random(12);
    const weights = Float32Array.from({ length: 4 * 64 }, () => random.normal());
    const decoded = scope(() => {
      const weight = Tensor.from(weights, [4, 64]);
      const options = { blockSize: 64, doubleQuant: false, levels: "e2m1" } as const;
      return new PackedWeight(quantizers.fp4.quantize(weight, options)).dequantize().arraySync();
    });
    for (let start = 0; start < weights.length; start += 64) {
      const block = [...weights.slice(start, start + 64)];
      const scale = Math.max(...block.map(Math.abs)) / 6;
      block.forEach((value, i) => {
        const nearest = Math.min(...MAGNITUDES.map((level) => Math.abs(Math.abs(value) - level * scale)));
        expect(Math.abs(value - decoded[start + i]!)).toBeLessThanOrEqual(nearest * (1 + 1e-5) + 1e-6);
      });
    }
  });
});
