import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PackedWeight, quantize, quantizers, Random, scope, Tensor } from "nibble-lab";
import { decodeBlocks, normalFloat, packStream, quantizeBlocks } from "../../reference/normal-float.js";
import { largestDifference, tinyModel } from "../tiny-model.js";

interface Golden {
  readonly levels: { readonly nf2: readonly number[]; readonly nf3: readonly number[] };
  readonly cases: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly block: 32 | 64 | 128;
    readonly weights: readonly number[];
    readonly codes: readonly number[];
    readonly scales: readonly number[];
    readonly dequantized: readonly number[];
  }[];
}
const path = new URL("../../native/golden/nf23.json", import.meta.url);
const golden = JSON.parse(readFileSync(path, "utf8")) as Golden;
const plain = { doubleQuant: false } as const;

describe("nf2 and nf3", () => {
  it.each(golden.cases)("nf2 has the bytes of peft's LoftQ: $name", ({ shape, block, weights, ...expected }) => {
    scope(() => {
      const packed = quantizers.nf2.quantize(Tensor.from(Float32Array.from(weights), shape), {
        blockSize: block,
        ...plain,
      });
      const weight = new PackedWeight(packed);
      expect([...weight.codes.arraySync()]).toEqual(expected.codes);
      expect([...weight.scales.arraySync()]).toEqual(expected.scales);
      expect([...weight.dequantize().arraySync()]).toEqual(expected.dequantized);
    });
  });

  it.each([2, 3] as const)("nf%d has the levels that quantiles of the normal distribution give", (bits) => {
    expect(largestDifference(normalFloat(bits), golden.levels[`nf${bits}`])).toBeLessThan(2e-7);
  });

  it.each(([2, 3] as const).flatMap((bits) => ([32, 64, 128] as const).map((block) => ({ bits, block }))))(
    "nf$bits equals its definition in blocks of $block that straddle rows",
    ({ bits, block }) => {
      const random = new Random(block);
      const shape = [7, 101];
      const weights = Float32Array.from({ length: 7 * 101 }, () => random.normal() * 0.02);
      const levels = golden.levels[`nf${bits}`];
      const grid = quantizeBlocks(weights, block, levels);
      scope(() => {
        const packed = quantizers[`nf${bits}`].quantize(Tensor.from(weights, shape), { blockSize: block, ...plain });
        const weight = new PackedWeight(packed);
        expect(weight.codes.arraySync()).toEqual(packStream(grid.codes, bits));
        expect([...weight.scales.arraySync()]).toEqual([...grid.scales]);
        const decoded = decodeBlocks(grid, block, grid.scales, levels);
        expect(largestDifference(weight.dequantize(), decoded)).toBeLessThan(1e-8);
        // Straight from the codes, for one token and for many.
        for (const tokens of [1, 33]) {
          const x = Tensor.randomNormal([tokens, 101], 1, tokens);
          const y = weight.forward(x).arraySync();
          const input = x.arraySync();
          const expected = Float64Array.from({ length: tokens * 7 }, (_, i) => {
            const [token, row] = [Math.floor(i / 7), i % 7];
            let sum = 0;
            for (let k = 0; k < 101; k++) sum += input[token * 101 + k]! * decoded[row * 101 + k]!;
            return sum;
          });
          expect(largestDifference(y, expected)).toBeLessThan(2e-6);
        }
      });
    },
  );

  it("take 2.5 and 3.5 bits a weight, less with double quantization", () => {
    scope(() => {
      const weights = Tensor.randomNormal([512, 512], 1, 0);
      const bits = (name: "nf2" | "nf3", doubleQuant: boolean) =>
        new PackedWeight(quantizers[name].quantize(weights, { blockSize: 64, doubleQuant })).bitsPerWeight;
      expect(bits("nf2", false)).toBe(2.5);
      expect(bits("nf3", false)).toBe(3.5);
      expect(bits("nf2", true)).toBeCloseTo(2 + 8 / 64 + 32 / (64 * 256), 3);
    });
  });

  it("are methods of quantize, and fewer bits lose more", async () => {
    using model = tinyModel();
    const errors: number[] = [];
    for (const method of ["nf4", "nf3", "nf2"] as const) {
      using small = await quantize(model, { method });
      errors.push(Math.max(...small.quantization!.layers.map(({ weightError }) => weightError)));
    }
    expect(errors).toEqual([...errors].sort((a, b) => a - b));
    expect(new Set(errors).size).toBe(3);
  });
});
