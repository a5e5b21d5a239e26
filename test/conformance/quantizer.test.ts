import { describe, expect, it } from "vitest";
import {
  PackedWeight,
  quantize,
  quantizers,
  Random,
  scope,
  Tensor,
  type QuantizeOptions,
  type QuantizerName,
} from "nibble-lab";
import { largestDifference, tinyModel, tinyTokens } from "../library/tiny-model.js";
import { linear } from "../reference/peqa.js";

const random = new Random(21);
const [ROWS, COLUMNS, TOKENS] = [10, 64, 3];
const normal = Float32Array.from({ length: ROWS * COLUMNS }, () => 0.05 * random.normal());
const inputs = Float32Array.from({ length: TOKENS * COLUMNS }, () => random.normal());

/** What each quantizer's registry entry promises, whatever the method: a new one is tested by its row here. */
describe.each(Object.keys(quantizers) as QuantizerName[])("quantizer %s", (name) => {
  const quantizer = quantizers[name];
  const defaults = Object.fromEntries(Object.entries(quantizer.rules).map(([option, rule]) => [option, rule.fallback]));
  const pack = (weights: Float32Array) =>
    new PackedWeight(quantizer.quantize(Tensor.from(weights, [ROWS, COLUMNS]), defaults as never));

  it("is listed under its own name, every option has a default, and it describes itself", () => {
    expect(quantizer.name).toBe(name);
    for (const rule of Object.values(quantizer.rules)) {
      expect(rule.fallback).not.toBeUndefined();
      expect(rule.accepts(rule.fallback)).toBe(true);
      expect(rule.accepts({})).toBe(false);
    }
    expect(quantizer.describe(defaults as never)).not.toBe("");
  });

  it("leaves the weight as it was and gives the same codes each time", () => {
    scope(() => {
      const weight = Tensor.from(normal, [ROWS, COLUMNS]);
      const [one, two] = [0, 1].map(() => new PackedWeight(quantizer.quantize(weight, defaults as never)));
      expect(weight.arraySync()).toEqual(normal);
      expect(one!.codesHash()).toBe(two!.codesHash());
      expect(one!.scales.arraySync()).toEqual(two!.scales.arraySync());
    });
  });

  it("keeps the shape, zeros, and most of the weight in fewer bits than bf16", () => {
    scope(() => {
      const packed = pack(normal);
      expect([packed.rows, packed.columns]).toEqual([ROWS, COLUMNS]);
      expect(packed.bitsPerWeight).toBeLessThan(16);
      const decoded = packed.dequantize().arraySync();
      const error = Math.hypot(...normal.map((value, i) => value - decoded[i]!)) / Math.hypot(...normal);
      expect(error).toBeLessThan(0.15);
      expect(
        [
          ...pack(new Float32Array(ROWS * COLUMNS))
            .dequantize()
            .arraySync(),
        ].every((value) => value === 0),
      ).toBe(true);
    });
  });

  it("multiplies like the weight that it decodes to", () => {
    scope(() => {
      const packed = pack(normal);
      const expected = linear(inputs, packed.dequantize().arraySync(), TOKENS, ROWS, COLUMNS);
      expect(largestDifference(packed.forward(Tensor.from(inputs, [TOKENS, COLUMNS])), expected)).toBeLessThan(1e-5);
    });
  });

  it("is nearly idempotent: what it decoded quantizes to nearly itself", () => {
    scope(() => {
      const decoded = pack(normal).dequantize().arraySync() as Float32Array;
      const again = pack(decoded).dequantize();
      const reach = Math.max(...decoded.map(Math.abs));
      expect(largestDifference(again, decoded)).toBeLessThan(0.1 * reach);
    });
  });

  it("works on a model, whose codes the hash covers", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: name } as QuantizeOptions);
    expect(small.quantization!.method).toBe(name);
    const loss = scope(() => small.loss({ tokens: tinyTokens(8), targets: tinyTokens(8), batch: 1 }).item());
    expect(Number.isFinite(loss)).toBe(true);
    const hash = small.codesHash();
    const [, { weight }] = [...small.linears()].at(-1)!;
    const { codes } = weight as PackedWeight;
    codes.write(Uint8Array.from(codes.arraySync(), (code, i) => (i === 0 ? code ^ 1 : code)));
    expect(small.codesHash()).not.toBe(hash);
  });
});
