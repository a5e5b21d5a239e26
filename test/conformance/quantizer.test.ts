import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  InterruptedError,
  keep,
  liveTensors,
  PackedWeight,
  preprocessors,
  quantize,
  quantizers,
  Random,
  scope,
  Tensor,
  type PreprocessorName,
  type Quantizer,
  type QuantizeOptions,
  type QuantizerName,
} from "nibble-lab";
import { events } from "nibble-lab/events";
import { inputsOf } from "../library/quantization/inputs.js";
import { largestDifference, tinyModel, tinyTokens } from "../library/tiny-model.js";
import { linear } from "../reference/peqa.js";

const random = new Random(21);
const [ROWS, COLUMNS, TOKENS] = [10, 64, 96];
const normal = Float32Array.from({ length: ROWS * COLUMNS }, () => 0.05 * random.normal());
const inputs = Float32Array.from({ length: TOKENS * COLUMNS }, () => random.normal());
const calibration = tinyTokens(90);

/** What makes a method quick where only its wiring is tested. */
const quick: Readonly<Record<string, object>> = { awq: { ratios: 3 } };

/** The largest share of a weight that a method's defaults may lose: about twice as much with each bit less. */
const most: Readonly<Record<string, number>> = { nf3: 0.25, nf2: 0.6 };

const defaultsOf = (rules: object) =>
  Object.fromEntries(Object.entries(rules).map(([option, rule]) => [option, (rule as { fallback: unknown }).fallback]));

let before = 0;
beforeEach(() => {
  before = liveTensors();
});
afterEach(() => {
  expect(liveTensors()).toBe(before);
});

/** What each quantizer's registry entry promises, whatever the method: a new one is tested by its row here. */
describe.each(Object.keys(quantizers) as QuantizerName[])("quantizer %s", (name) => {
  const quantizer = quantizers[name] as unknown as Quantizer<object>;
  const defaults = defaultsOf(quantizer.rules);
  /** The weight's codes and what they decode to. */
  const pack = async (weights: Float32Array): Promise<PackedWeight> => {
    using weight = Tensor.from(weights, [ROWS, COLUMNS]);
    if (quantizer.needs === "weights") return new PackedWeight(quantizer.quantize(weight, defaults));
    using given = inputsOf(inputs, COLUMNS);
    return new PackedWeight((await quantizer.quantize(weight, defaults, given)).packed);
  };
  const decode = async (weights: Float32Array): Promise<Float32Array> => {
    using packed = await pack(weights);
    return scope(() => packed.dequantize().arraySync() as Float32Array);
  };

  it("is listed under its own name, every option has a default, and it describes itself", () => {
    expect(quantizer.name).toBe(name);
    for (const rule of Object.values(quantizer.rules)) {
      expect(rule.fallback).not.toBeUndefined();
      expect(rule.accepts(rule.fallback)).toBe(true);
      expect(rule.accepts({})).toBe(false);
    }
    expect(quantizer.describe(defaults)).not.toBe("");
  });

  it("leaves the weight as it was and gives the same codes each time", async () => {
    const copy = normal.slice();
    using one = await pack(normal);
    using two = await pack(normal);
    expect(normal).toEqual(copy);
    expect(one.codesHash()).toBe(two.codesHash());
    expect(one.scales.arraySync()).toEqual(two.scales.arraySync());
  });

  it("has positive, finite scales", async () => {
    const outliers = normal.map((value, i) => (i % 61 === 0 ? 1000 * value : i < COLUMNS ? 0 : value));
    for (const weights of [normal, outliers]) {
      using packed = await pack(weights);
      for (const scale of packed.scales.arraySync()) expect(scale >= 0 && Number.isFinite(scale)).toBe(true);
      expect((await decode(weights)).every(Number.isFinite)).toBe(true);
    }
  });

  it("keeps the shape, zeros, and most of the weight in fewer bits than bf16", async () => {
    using packed = await pack(normal);
    expect([packed.rows, packed.columns]).toEqual([ROWS, COLUMNS]);
    expect(packed.bitsPerWeight).toBeLessThan(16);
    const decoded = await decode(normal);
    const error = Math.hypot(...normal.map((value, i) => value - decoded[i]!)) / Math.hypot(...normal);
    expect(error).toBeLessThan(most[name] ?? 0.15);
    expect((await decode(new Float32Array(ROWS * COLUMNS))).every((value) => value === 0)).toBe(true);
  });

  it("multiplies like the weight that it decodes to", async () => {
    using packed = await pack(normal);
    const expected = linear(inputs, await decode(normal), TOKENS, ROWS, COLUMNS);
    scope(() => {
      expect(largestDifference(packed.forward(Tensor.from(inputs, [TOKENS, COLUMNS])), expected)).toBeLessThan(1e-5);
    });
  });

  it("is nearly idempotent: what it decoded quantizes to nearly itself", async () => {
    const decoded = await decode(normal);
    const reach = Math.max(...decoded.map(Math.abs));
    expect(largestDifference(await decode(decoded), decoded)).toBeLessThan(0.1 * reach);
  });

  it("works on a model, whose codes the hash covers, and reports each layer's errors", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: name, calibration, ...quick[name] } as QuantizeOptions);
    expect(small.quantization!.method).toBe(name);
    // On the few rows of a tiny layer, up to a third more than on the weight above.
    const allowed = Math.max(0.5, 1.33 * (most[name] ?? 0));
    for (const { weightError, outputError } of small.quantization!.layers) {
      expect(weightError).toBeGreaterThan(0);
      expect(weightError).toBeLessThan(allowed);
      expect(outputError).toBeGreaterThan(0);
      expect(outputError).toBeLessThan(allowed);
    }
    const loss = scope(() => small.loss({ tokens: tinyTokens(8), targets: tinyTokens(8), batch: 1 }).item());
    expect(Number.isFinite(loss)).toBe(true);
    const hash = small.codesHash();
    const [, { weight }] = [...small.linears()].at(-1)!;
    const { codes } = weight as PackedWeight;
    codes.write(Uint8Array.from(codes.arraySync(), (code, i) => (i === 0 ? code ^ 1 : code)));
    expect(small.codesHash()).not.toBe(hash);
  });

  it("leaves the model as it was and nothing behind when it is stopped half-way", async () => {
    using model = tinyModel();
    const logits = () => scope(() => model.run([...tinyTokens(12)]).arraySync());
    const [plain, live] = [logits(), liveTensors()];
    const stop = new AbortController();
    const off = events.on("progress", ({ done }) => done === 10 && stop.abort());
    const options = { method: name, calibration, signal: stop.signal, ...quick[name] } as QuantizeOptions;
    await expect(quantize(model, options)).rejects.toThrow(InterruptedError);
    off();
    expect(liveTensors()).toBe(live);
    expect(logits()).toEqual(plain);
  });
});

describe.each(Object.keys(preprocessors) as PreprocessorName[])("preprocessor %s", (name) => {
  const preprocessor = preprocessors[name];

  it("is listed under its own name, every option has a default, and it describes itself", () => {
    expect(preprocessor.name).toBe(name);
    for (const rule of Object.values(preprocessor.rules)) expect(rule.accepts(rule.fallback)).toBe(true);
    expect(preprocessor.describe(defaultsOf(preprocessor.rules) as never)).not.toBe("");
  });

  it("leaves the weight as it was and keeps its outputs", async () => {
    using weight = Tensor.from(normal, [ROWS, COLUMNS]);
    using given = inputsOf(inputs, COLUMNS);
    using changed = keep(await preprocessor.apply(weight, given, 0, defaultsOf(preprocessor.rules) as never));
    expect(weight.arraySync()).toEqual(normal);
    const outputs = [normal, changed.arraySync()].map((w) => linear(inputs, w, TOKENS, ROWS, COLUMNS));
    const difference = Math.hypot(...outputs[0]!.map((y, i) => y - outputs[1]![i]!));
    expect(difference / Math.hypot(...outputs[0]!)).toBeLessThan(0.1);
  });

  it.each(Object.keys(quantizers) as QuantizerName[])("goes before %s", async (method) => {
    using model = tinyModel();
    const options = { method, calibration, ...quick[method] } as QuantizeOptions;
    using plain = await quantize(model, options);
    using small = await quantize(model, { ...options, preprocess: name });
    expect(small.codesHash()).not.toBe(plain.codesHash());
    expect(small.label).toContain(`${preprocessor.describe({} as never)}, then `);
  });
});
