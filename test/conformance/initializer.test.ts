import { describe, expect, it } from "vitest";
import {
  adapterInitializers,
  initialize,
  InterruptedError,
  liveTensors,
  OptionError,
  quantize,
  scope,
  ShapeError,
  train,
  tune,
  UnsupportedError,
  type AdapterInitializerName,
  type InitializeOptions,
  type LanguageModel,
  type LoraAdapter,
} from "nibble-lab";
import { largestDifference, tinyModel, tinyTokens } from "../library/tiny-model.js";

const settings = { data: tinyTokens(400), steps: 3, batchSize: 2, length: 16 };
const calibration = tinyTokens(256);

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
function everything(model: LanguageModel): number[][] {
  return [...model.namedTensors()].map(([, tensor]) => [...tensor.arraySync()]);
}
/** A model of 3 bits with LoRA on it. */
async function rounded(model: LanguageModel, alpha = 4): Promise<LanguageModel> {
  return tune(await quantize(model, { method: "rtn", bits: 3 }), { method: "lora", rank: 4, alpha });
}
const start = (model: LanguageModel, name: AdapterInitializerName, original: LanguageModel, changes: object = {}) =>
  initialize(model, { method: name, original, calibration, ...changes } as InitializeOptions);

/** What each initializer's registry entry promises, whatever the method: a new one is tested by its row here. */
describe.each(Object.keys(adapterInitializers) as AdapterInitializerName[])("initializer %s", (name) => {
  const initializer = adapterInitializers[name];

  it("is listed under its own name, every option has a default, and it describes itself", () => {
    expect(initializer.name).toBe(name);
    const defaults: Record<string, unknown> = {};
    for (const [option, rule] of Object.entries<{ fallback?: unknown; accepts: (value: unknown) => boolean }>(
      initializer.rules,
    )) {
      expect(rule.accepts(rule.fallback)).toBe(true);
      expect(rule.accepts({})).toBe(false);
      defaults[option] = rule.fallback;
    }
    expect(initializer.describe(defaults as never)).not.toBe("");
  });

  it("starts every adapter in place, the same each time, and reports each layer", async () => {
    using model = tinyModel();
    using small = await rounded(model);
    using twin = small.fork();
    expect(await start(small, name, model)).toBe(small);
    await start(twin, name, model);
    expect(everything(small)).toEqual(everything(twin));
    const report = small.initialization!;
    expect(report.method).toBe(name);
    expect(report.layers.map(({ layer }) => layer)).toEqual([...small.linears()].map(([layer]) => layer));
    expect(String(report)).toContain(name);
    for (const { weightErrorBefore, weightError, outputError } of report.layers) {
      expect([weightErrorBefore, weightError, outputError].every(Number.isFinite)).toBe(true);
    }
  });

  it("is no farther from the original than the rounded weights alone, in weights or in outputs", async () => {
    using model = tinyModel();
    using small = await rounded(model);
    await start(small, name, model);
    for (const layer of small.initialization!.layers) {
      const better = layer.weightError! <= layer.weightErrorBefore! || layer.outputError! <= layer.outputErrorBefore!;
      expect(better, layer.layer).toBe(true);
    }
  });

  it("computes the same whatever the adapter's scaling", async () => {
    using model = tinyModel();
    using one = await rounded(model, 4);
    using quarter = await rounded(model, 1);
    for (const small of [one, quarter]) await start(small, name, model);
    expect(([...quarter.linears()][0]![1].adapter as LoraAdapter).scaling).toBe(0.25);
    // gaussian has B = 0, so that any scaling computes the same as well.
    expect(largestDifference(logits(one), logits(quarter))).toBeLessThan(2e-4);
  });

  it("leaves a fork and the original as they were, trains on, and frees everything", async () => {
    const live = liveTensors();
    const model = tinyModel();
    const small = await rounded(model);
    const fork = small.fork();
    const [before, original] = [logits(fork), logits(model)];
    await start(small, name, model);
    expect(logits(fork)).toEqual(before);
    expect(logits(model)).toEqual(original);
    const started = logits(small);
    await train(small, settings);
    expect(logits(small)).not.toEqual(started);
    for (const one of [fork, small, model]) one.dispose();
    expect(liveTensors()).toBe(live);
  });

  it("leaves the model as it was when it is stopped half-way", async () => {
    using model = tinyModel();
    using small = await rounded(model);
    const before = everything(small);
    const abort = new AbortController();
    // The calibration text is read first; then the signal is looked at after every layer.
    setTimeout(() => abort.abort(), 1);
    const live = liveTensors();
    await expect(start(small, name, model, { signal: abort.signal })).rejects.toThrow(InterruptedError);
    expect(everything(small)).toEqual(before);
    expect([small.initialization, liveTensors()]).toEqual([null, live]);
  });

  it("says what it needs", async () => {
    using model = tinyModel();
    using small = await rounded(model);
    const needs = new Set(initializer.needs({ dense: false }));
    if (needs.has("original")) {
      await expect(initialize(small, { method: name, calibration } as InitializeOptions)).rejects.toThrow(OptionError);
      await expect(initialize(small, { method: name, calibration } as InitializeOptions)).rejects.toThrow(
        "{ original }",
      );
    }
    if (needs.has("calibration")) {
      await expect(initialize(small, { method: name, original: model } as InitializeOptions)).rejects.toThrow(
        "{ calibration }",
      );
    }
    using other = tinyModel({ intermediateSize: 32 });
    await expect(start(small, name, other)).rejects.toThrow(ShapeError);
    await expect(start(model, name, model)).rejects.toThrow(UnsupportedError);
    await expect(start(model, name, model)).rejects.toThrow("has no LoRA to start");
  });
});
