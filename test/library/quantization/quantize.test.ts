import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createModel,
  InterruptedError,
  liveTensors,
  OptionError,
  PackedWeight,
  quantize,
  scope,
  ShapeError,
  tune,
  UnsupportedError,
  type LanguageModel,
  type QuantizeOptions,
} from "nibble-lab";
import { events } from "nibble-lab/events";
import { linear as product } from "../../reference/peqa.js";
import { largestDifference, tinyConfig, tinyModel, tinyTokens } from "../tiny-model.js";

let before = 0;
let model: LanguageModel;
beforeEach(() => {
  before = liveTensors();
  model = tinyModel();
});
afterEach(() => {
  model.dispose();
  expect(liveTensors()).toBe(before);
});

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
function rootOfSquares(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}

describe("quantize", () => {
  it("gives a new model and leaves the given one as it was", async () => {
    const plain = logits(model);
    using small = await quantize(model, { method: "rtn", bits: 2 });
    expect(logits(model)).toEqual(plain);
    expect(logits(small)).not.toEqual(plain);
    expect(model.quantization).toBeNull();
    for (const [, { weight }] of small.linears()) expect(weight).toBeInstanceOf(PackedWeight);
  });

  it("gives a model in which nothing trains, whatever trained in the given one", async () => {
    using tuned = tune(model.fork(), { method: "full" });
    using small = await quantize(tuned, { method: "rtn" });
    expect(small.trainableParameters().size).toBe(0);
    expect(small.tuning).toBeNull();
    expect(tuned.trainableParameters().size).toBeGreaterThan(0);
  });

  it("shares everything that it does not quantize, and each model outlives the other", async () => {
    const shared = liveTensors();
    using small = await quantize(model, { method: "rtn", bits: 4 });
    const layers = [...small.linears()].length;
    expect(liveTensors()).toBe(shared + 3 * layers);
    const mine = logits(small);
    model.dispose();
    expect(logits(small)).toEqual(mine);
  });

  it("computes with exactly the decoded weights", async () => {
    using small = await quantize(model, { method: "nf4", blockSize: 32, doubleQuant: true });
    using decoded = model.fork();
    const packed = new Map(small.linears());
    for (const [name, { weight }] of decoded.linears()) {
      scope(() => [...weight.namedTensors()][0]![1].write(packed.get(name)!.weight.dequantize().arraySync()));
    }
    expect(largestDifference(logits(small), logits(decoded))).toBeLessThan(1e-4);
  });

  it("reports every layer: bits, bytes, relative weight error, in a table", async () => {
    using small = await quantize(model, { method: "rtn", bits: 4, group: 8 });
    const report = small.quantization!;
    const linears = new Map(model.linears());
    expect(report.layers.map(({ layer }) => layer)).toEqual([...linears.keys()]);
    for (const layer of report.layers) {
      const exact = scope(() => linears.get(layer.layer)!.weight.dequantize().arraySync());
      const rounded = scope(() => new Map(small.linears()).get(layer.layer)!.weight.dequantize().arraySync());
      const difference = exact.map((value, i) => value - rounded[i]!);
      expect(layer.weightError).toBeCloseTo(rootOfSquares(difference) / rootOfSquares(exact), 6);
      // Four bits, and a scale and a zero-point of 32 bits for 8 weights.
      expect(layer.bits).toBe(4 + 64 / 8);
      expect(layer.bytesBefore).toBe(4 * exact.length);
      expect(layer.bytesAfter).toBe((exact.length * 12) / 8);
      expect(layer.outputError).toBeNull();
    }
    const bundle = report[Symbol.for("Jupyter.display") as never] as () => Record<string, string>;
    const shown = bundle.call(report);
    expect(shown["text/plain"]).toContain("rtn: 4-bit round to nearest, a scale for 8 inputs; 14 layers");
    expect(shown["text/plain"]).toContain("blocks.1.mlp.down_proj");
    expect(shown["text/plain"]).toContain("Kept in f32: the embedding, the output layer, the norms.");
    expect(shown["text/html"]).toContain("<table>");
  });

  it("measures the output error on calibration tokens with the inputs of the model before", async () => {
    const tokens = tinyTokens(20);
    using small = await quantize(model, { method: "rtn", bits: 2, calibration: tokens });
    const layer = "blocks.0.attention.q_proj";
    const report = small.quantization!.layers.find((one) => one.layer === layer)!;
    const x = scope(() => {
      const pre = model.activations([...tokens], ["blocks.0.hook_resid_pre"]).get("blocks.0.hook_resid_pre")!;
      return rmsNormalized(pre.arraySync(), tinyConfig.hiddenSize);
    });
    const outputs = [model, small].map((one) => {
      const decoded = scope(() => new Map(one.linears()).get(layer)!.weight.dequantize().arraySync());
      return product(x, decoded, tokens.length, tinyConfig.hiddenSize, tinyConfig.hiddenSize);
    });
    const difference = outputs[0]!.map((value, i) => value - outputs[1]![i]!);
    expect(report.outputError).toBeCloseTo(rootOfSquares(difference) / rootOfSquares(outputs[0]!), 4);
    expect(small.quantization!.calibration).toEqual({ tokens: 20, inputs: "exact" });
  });

  it("quantizes what include and exclude choose", async () => {
    using some = await quantize(model, { method: "rtn", include: ["q_proj", "blocks.1.mlp.*"], exclude: ["up_proj"] });
    expect(some.quantization!.layers.map(({ layer }) => layer)).toEqual([
      "blocks.0.attention.q_proj",
      "blocks.1.attention.q_proj",
      "blocks.1.mlp.gate_proj",
      "blocks.1.mlp.down_proj",
    ]);
    expect(some.quantization!.excluded).toContain("blocks.1.mlp.up_proj");
  });

  it("reports progress layer by layer", async () => {
    const seen: string[] = [];
    const off = events.on("progress", ({ done, total, unit, label }) => seen.push(`${label} ${done}/${total} ${unit}`));
    using small = await quantize(model, { method: "nf4" });
    off();
    expect(seen).toHaveLength([...small.linears()].length);
    expect(seen[0]).toBe("quantize nf4 1/14 layers");
    expect(seen.at(-1)).toBe("quantize nf4 14/14 layers");
  });

  it("stops when its signal is aborted, half-way, and leaves nothing behind", async () => {
    const stop = new AbortController();
    const off = events.on("progress", ({ done }) => done === 3 && stop.abort());
    const live = liveTensors();
    await expect(quantize(model, { method: "rtn", signal: stop.signal })).rejects.toThrow(InterruptedError);
    off();
    expect(liveTensors()).toBe(live);
  });
});

describe("quantize refuses", () => {
  const refusals: readonly [string, object, new (...args: never[]) => Error, string][] = [
    [
      "an unknown method",
      { method: "nf5" },
      OptionError,
      '[quantize] method is "nf5". Allowed: "awq", "fp4", "gptq", "hqq", "nf4", "nf3", "nf2", "rtn". Did you mean "nf4"?',
    ],
    [
      "no method",
      {},
      OptionError,
      '[quantize] No method came. Allowed: "awq", "fp4", "gptq", "hqq", "nf4", "nf3", "nf2", "rtn".',
    ],
    [
      "5-bit NF4",
      { method: "nf4", bits: 5 },
      OptionError,
      '[quantize] nf4 has no option "bits". Its options: blockSize, doubleQuant; for every method: include, exclude, overrides, calibration, preprocess, signal. awq, gptq, hqq and rtn have it.',
    ],
    [
      "a misspelt option",
      { method: "rtn", bit: 4 },
      OptionError,
      'rtn has no option "bit". Its options: bits, group, symmetric, search; for every method: include, exclude, overrides, calibration, preprocess, signal. Did you mean "bits"?',
    ],
    [
      "a width that does not exist",
      { method: "rtn", bits: 7 },
      OptionError,
      "[quantize] bits is 7. Allowed: 2, 3, 4, 5, 6, 8.",
    ],
    [
      "a group that does not divide",
      { method: "rtn", group: 9 },
      ShapeError,
      'group is 9, but the rows of blocks.0.attention.q_proj have 16 inputs. Allowed for all chosen layers: 8, "channel".',
    ],
    ["a layer that is not there", { method: "rtn", include: ["q_pro"] }, OptionError, 'include "q_pro" fits no layer.'],
    ["nothing left", { method: "rtn", exclude: ["*"] }, OptionError, "include and exclude leave no layer."],
    ["empty calibration", { method: "rtn", calibration: new Int32Array(0) }, OptionError, "calibration has no tokens."],
  ];
  it.each(refusals)("%s", async (_, options, ErrorClass, text) => {
    await expect(quantize(model, options as QuantizeOptions)).rejects.toThrow(ErrorClass);
    await expect(quantize(model, options as QuantizeOptions)).rejects.toThrow(text);
  });

  it("a model that is quantized already, saying what to do", async () => {
    using small = await quantize(model, { method: "rtn", bits: 4 });
    await expect(quantize(small, { method: "nf4" })).rejects.toThrow(UnsupportedError);
    await expect(quantize(small, { method: "nf4" })).rejects.toThrow(
      "blocks.0.attention.q_proj is quantized already (int4, a scale a row). Quantize the full-precision model",
    );
  });

  it("options of another method when compiling", () => {
    // @ts-expect-error nf4 has no bits
    const one: QuantizeOptions = { method: "nf4", bits: 5 };
    // @ts-expect-error rtn has no blockSize
    const two: QuantizeOptions = { method: "rtn", blockSize: 64 };
    // @ts-expect-error there are no 7 bits
    const three: QuantizeOptions = { method: "rtn", bits: 7 };
    expect([one, two, three]).toHaveLength(3);
  });

  it("codesHash where nothing is quantized", () => {
    using plain = createModel(tinyConfig);
    expect(() => plain.codesHash()).toThrow("has no codes. Quantize it first.");
  });
});

/** RMSNorm with weight 1. */
function rmsNormalized(x: ArrayLike<number>, width: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    let square = 0;
    for (let i = start; i < start + width; i++) square += x[i]! ** 2 / width;
    for (let i = start; i < start + width; i++) y[i] = x[i]! / Math.sqrt(square + 1e-5);
  }
  return y;
}
