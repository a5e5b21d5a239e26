import { describe, expect, it } from "vitest";
import {
  initialize,
  liveTensors,
  merge,
  MERGED,
  quantize,
  saveModel,
  scope,
  ShapeError,
  train,
  tune,
  UnsupportedError,
  type LanguageModel,
  type TuneOptions,
} from "nibble-lab";
import { largestDifference, tinyModel, tinyTokens } from "../tiny-model.js";

const settings = { data: tinyTokens(400), steps: 5, batchSize: 2, length: 16, learningRate: 2e-2 };
const text = tinyTokens(120);

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
/** The dense weight of every layer with its adapter, by hand. */
function products(model: LanguageModel): Float32Array[] {
  return [...model.linears()].map(([, { weight, adapter }]) => {
    const [dense, parts] = [
      scope(() => Float32Array.from(weight.dequantize().arraySync())),
      new Map(adapter?.namedTensors() ?? []),
    ];
    if (adapter === null) return dense;
    const [a, b] = [parts.get("lora_A")!, parts.get("lora_B")!];
    const [A, B, rank] = [a.arraySync(), b.arraySync(), a.shape[0]!];
    return dense.map((value, i) => {
      const [row, column] = [Math.floor(i / weight.columns), i % weight.columns];
      for (let r = 0; r < rank; r++) value += B[row * rank + r]! * A[r * weight.columns + column]!;
      return value;
    });
  });
}

const kinds: Readonly<Record<string, TuneOptions>> = {
  lora: { method: "lora", rank: 2 },
  "peqa, relative": { method: "peqa" },
  "peqa, absolute, with zero-points": { method: "peqa", parametrization: "absolute", zeroPoints: true },
};

describe("merge", () => {
  it.each(Object.entries(kinds))("makes all four of a quantized model: %s", async (_, options) => {
    const live = liveTensors();
    {
      using model = tinyModel();
      using small = await quantize(model, { method: "rtn", bits: 3 });
      using tuned = tune(small.fork(), options);
      await train(tuned, settings);
      const before = logits(tuned);
      using merged = await merge(tuned, { original: model, text });
      // As it was trained: exactly, also where scales were folded into the codes.
      expect(logits(merged.trained)).toEqual(before);
      expect(largestDifference(logits(merged.dequantized), before)).toBeLessThan(1e-3);
      // What training changed, on the original.
      const [ours, from, base] = [products(tuned), products(small), products(model)];
      for (const [i, [, { weight }]] of [...merged.original.linears()].entries()) {
        const expected = base[i]!.map((value, j) => value + ours[i]![j]! - from[i]![j]!);
        expect(
          largestDifference(
            scope(() => weight.dequantize().arraySync()),
            expected,
          ),
        ).toBeLessThan(1e-5);
      }
      using again = await quantize(merged.dequantized, { method: "rtn", bits: 3 });
      expect(logits(merged.requantized)).toEqual(logits(again));
      expect(merged.requantized.quantization!.method).toBe("rtn");
      for (const name of ["dequantized", "original", "requantized"] as const) {
        expect([...merged[name].linears()].every(([, { adapter }]) => adapter === null)).toBe(true);
        expect([merged[name].trainableParameters().size, merged[name].adapters.size, merged[name].tuning]).toEqual([
          0,
          0,
          null,
        ]);
      }
      expect(logits(tuned)).toEqual(before);
      expect(tuned.trainableParameters().size).toBeGreaterThan(0);
    }
    expect(liveTensors()).toBe(live);
  });

  it("shows the four side by side, with perplexities by one protocol", async () => {
    using model = tinyModel();
    using tuned = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "lora", rank: 2 });
    using merged = await merge(tuned, { original: model, text, window: 16 });
    for (const [name, { perplexity }] of Object.entries(merged.entries)) {
      expect(perplexity!.perplexity, name).toBeGreaterThan(1);
      expect(perplexity!.window).toBe(16);
      expect(String(merged)).toContain(MERGED[name as keyof typeof MERGED]);
    }
    expect(String(merged)).toContain("Perplexity: 112 tokens predicted, window 16");
    // Untrained: B = 0, so that the trained one is the rounded one, and on the original nothing is missing.
    expect(merged.entries.original.perplexity!.nll).not.toBe(merged.entries.trained.perplexity!.nll);
    expect(logits(merged.original)).toEqual(logits(model));
  });

  it("folds PEQA's scales into a model that saves", async () => {
    using model = tinyModel();
    using tuned = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "peqa" });
    const hash = tuned.codesHash();
    await train(tuned, settings);
    using merged = await merge(tuned);
    expect(merged.trained.codesHash()).toBe(hash);
    expect(merged.entries.trained.note).toBe("folded into the codes, exact");
    expect(merged.entries.original).toEqual({
      model: null,
      note: "no original came; give { original }",
      perplexity: null,
    });
    expect(() => merged.original).toThrow(UnsupportedError);
    expect(() => merged.original).toThrow("no original came");
    await expect(saveModel(merged.trained, ".")).rejects.toThrow("Choose another folder");
  });

  it("rounds what QAT trained for good", async () => {
    using model = tinyModel();
    using tuned = tune(model.fork(), { method: "qat", bits: 3 });
    await train(tuned, { ...settings, learningRate: 1e-3 });
    using merged = await merge(tuned, { original: model });
    expect(largestDifference(logits(merged.trained), logits(tuned))).toBeLessThan(1e-4);
    expect(merged.trained.codesHash()).toHaveLength(64);
    expect(merged.entries.original.note).toContain("its weights trained themselves");
    expect(merged.entries.requantized.note).toContain("nothing says how to quantize it");
    using rounded = await merge(tuned, { quantize: { method: "rtn", bits: 3 } });
    expect(rounded.requantized.quantization!.method).toBe("rtn");
  });

  it("does not put into the original what the original has already", async () => {
    using model = tinyModel();
    using tuned = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "lora", rank: 4 });
    await initialize(tuned, { method: "svd", original: model });
    using merged = await merge(tuned, { original: model });
    expect(merged.entries.original.note).toBe(
      "the adapter starts from what is missing below it (svd), which the original has already",
    );
  });

  it("refuses a model without changes, and an original that is another model", async () => {
    using model = tinyModel();
    await expect(merge(model)).rejects.toThrow(UnsupportedError);
    using tuned = tune(model.fork(), { method: "lora", rank: 2 });
    using other = tinyModel({ intermediateSize: 32 });
    const live = liveTensors();
    await expect(merge(tuned, { original: other })).rejects.toThrow(ShapeError);
    expect(liveTensors()).toBe(live);
  });
});
