import { describe, expect, it } from "vitest";
import type { PackedWeight } from "nibble-lab";
import {
  initialize,
  OptionError,
  quantize,
  scope,
  ShapeError,
  tune,
  UnsupportedError,
  type LanguageModel,
  type LoraAdapter,
} from "nibble-lab";
import { loftqWeight } from "../../../reference/loftq.js";
import { largestDifference, tinyModel, tinyTokens } from "../../tiny-model.js";

const calibration = tinyTokens(256);

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
const weightErrors = (model: LanguageModel) => model.initialization!.layers.map(({ weightError }) => weightError!);

describe("pissa", () => {
  it("computes what the dense model computed, with the largest directions in the adapter", async () => {
    using model = tinyModel();
    using tuned = tune(model.fork(), { method: "lora", rank: 4, alpha: 8 });
    await initialize(tuned, { method: "pissa" });
    expect(largestDifference(logits(tuned), logits(model))).toBeLessThan(1e-3);
    const originals = new Map(model.linears());
    for (const [name, { weight, adapter }] of tuned.linears()) {
      scope(() => {
        const [rest, whole] = [weight.dequantize(), originals.get(name)!.weight.dequantize()];
        const size = (x: ArrayLike<number>) => Math.hypot(...Array.from(x));
        // A quarter of the directions at most, but more than that of the weight.
        expect(size(rest.arraySync())).toBeLessThan(0.8 * size(whole.arraySync()));
        const { a, b } = adapter as LoraAdapter;
        // Even shares: ‖A‖ = √Σs of A's side, times 1/scaling on B's.
        expect(size(b.arraySync()) * 2).toBeCloseTo(size(a.arraySync()), 3);
      });
    }
  });

  it("keeps the quantized format below and rounds what is left", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 4, group: 8 }), { method: "lora", rank: 4 });
    const hash = small.codesHash();
    await initialize(small, { method: "pissa", original: model });
    expect(small.codesHash()).not.toBe(hash);
    for (const [, { weight }] of small.linears())
      expect((weight as PackedWeight).description).toBe("int4, a scale for 8");
    for (const layer of small.initialization!.layers) expect(layer.weightError).toBeLessThan(layer.weightErrorBefore!);
  });
});

describe("loftq", () => {
  it("is the SVD of what rounding took away after one turn", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "lora", rank: 4 });
    using twin = small.fork();
    await initialize(small, { method: "loftq", original: model, iterations: 1 });
    await initialize(twin, { method: "svd", original: model });
    expect(logits(small)).toEqual(logits(twin));
  });

  it.each([1, 2, 5])("is the paper's algorithm after %d turns", async (iterations) => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 3 }), { method: "lora", rank: 3, alpha: 6 });
    await initialize(small, { method: "loftq", original: model, iterations });
    const originals = new Map(model.linears());
    for (const [name, { weight, adapter, rows, columns }] of small.linears()) {
      scope(() => {
        const now = weight.dequantize();
        (adapter as LoraAdapter).addTo(now);
        const w = originals.get(name)!.weight.dequantize().arraySync();
        expect(largestDifference(now, loftqWeight(w, rows, columns, 3, iterations, 3)), name).toBeLessThan(1e-4);
      });
    }
  });

  it("works with other ways to quantize, and asks where it does not know any", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "nf4" }), { method: "lora", rank: 2 });
    await initialize(small, { method: "loftq", original: model });
    expect(([...small.linears()][0]![1].weight as PackedWeight).format).toBe("nf4");
    await initialize(small, { method: "loftq", original: model, quantize: { method: "rtn", bits: 8 } });
    expect(([...small.linears()][0]![1].weight as PackedWeight).format).toBe("int8");
    using dense = tune(model.fork(), { method: "lora", rank: 2 });
    await expect(initialize(dense, { method: "loftq", original: model })).rejects.toThrow(OptionError);
    await expect(initialize(dense, { method: "loftq", original: model })).rejects.toThrow("nothing says how");
  });
});

describe("quantizing again", () => {
  it.each(["loftq", "pissa"] as const)("keeps each layer's own options: %s", async (method) => {
    using model = tinyModel();
    const how = {
      method: "rtn",
      bits: 4,
      group: 8,
      overrides: { down_proj: { bits: 8 }, "blocks.1.attention.*": { group: 16 } },
    } as const;
    using small = tune(await quantize(model, how), { method: "lora", rank: 2 });
    const formats = (of: LanguageModel) =>
      [...of.linears()].map(([, { weight }]) => (weight as PackedWeight).description);
    const before = formats(small);
    expect(new Set(before)).toEqual(new Set(["int4, a scale for 8", "int8, a scale for 8", "int4, a scale a row"]));
    await initialize(small, { method, original: model });
    expect(formats(small)).toEqual(before);
    await initialize(small, { method, original: model, quantize: { ...how, overrides: { q_proj: { bits: 2 } } } });
    expect(formats(small)[0]).toBe("int2, a scale for 8");
  });

  it("changes the weight beforehand where the model's was", async () => {
    using model = tinyModel();
    const how = { method: "rtn", bits: 3, preprocess: "magr", calibration } as const;
    using small = tune(await quantize(model, how), { method: "lora", rank: 2 });
    using plain = tune(await quantize(model, { method: "rtn", bits: 3 }), { method: "lora", rank: 2 });
    await expect(initialize(small, { method: "loftq", original: model })).rejects.toThrow(
      "preprocess looks at what flows into each layer",
    );
    const start = { method: "loftq", original: model, iterations: 1, calibration } as const;
    await initialize(small, start);
    await initialize(plain, start);
    // After one turn the codes are those of the quantized model, up to the inputs of later blocks.
    const first = (of: LanguageModel) => ([...of.linears()][0]![1].weight as PackedWeight).codesHash();
    using again = await quantize(model, how);
    expect(first(small)).toBe(first(again));
    expect(first(small)).not.toBe(first(plain));
  });

  it("refuses a group that does not divide the rows before anything is changed", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 4 }), { method: "lora", rank: 2 });
    const hash = small.codesHash();
    const start = { method: "loftq", original: model, quantize: { method: "rtn", bits: 4, group: 9 } } as const;
    await expect(initialize(small, start)).rejects.toThrow(ShapeError);
    expect(small.codesHash()).toBe(hash);
  });
});

describe("svd and cloq", () => {
  it("leave the codes alone and get nearer with every rank", async () => {
    using model = tinyModel();
    for (const method of ["svd", "cloq"] as const) {
      const errors: number[] = [];
      for (const rank of [1, 2, 4, 8]) {
        using small = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "lora", rank });
        const hash = small.codesHash();
        await initialize(small, { method, original: model, calibration });
        expect(small.codesHash()).toBe(hash);
        // The first layer's inputs do not depend on what was started before it.
        const { weightError, outputError } = small.initialization!.layers[0]!;
        errors.push(method === "svd" ? weightError! : outputError!);
      }
      for (let i = 1; i < errors.length; i++) expect(errors[i], method).toBeLessThan(errors[i - 1]!);
    }
  });

  it("give what was there back exactly where the rank is enough", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "lora", rank: 16 });
    await initialize(small, { method: "svd", original: model });
    expect(largestDifference(logits(small), logits(model))).toBeLessThan(2e-3);
    expect(Math.max(...weightErrors(small))).toBeLessThan(1e-5);
  });

  it("measure what cloq's theory says", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "lora", rank: 4 });
    await initialize(small, { method: "cloq", original: model, calibration, damping: 1e-6 });
    for (const { layer, predicted, outputError } of small.initialization!.layers) {
      expect(Math.abs(predicted! - outputError!), layer).toBeLessThan(1e-3);
    }
    expect(String(small.initialization)).toBe(
      "cloq: the nearest outputs over the calibration tokens, damping 0.000001; 14 adapters",
    );
  });
});

describe("initialize", () => {
  it("refuses adapters that are multiplied by 0, and options of other methods", async () => {
    using model = tinyModel();
    using small = tune(model.fork(), { method: "lora", rank: 2, alpha: 0 });
    await expect(initialize(small, { method: "pissa" })).rejects.toThrow(UnsupportedError);
    using tuned = tune(model.fork(), { method: "lora", rank: 2 });
    await expect(initialize(tuned, { method: "pissa", iterations: 2 } as never)).rejects.toThrow(
      'pissa has no option "iterations". Its options: none; for every method: original, calibration, quantize, signal. loftq has it.',
    );
  });
});
