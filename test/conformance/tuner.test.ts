import { describe, expect, it } from "vitest";
import {
  InterruptedError,
  liveTensors,
  quantize,
  scope,
  train,
  tune,
  tuners,
  type LanguageModel,
  type TuneOptions,
  type TunerName,
} from "nibble-lab";
import { largestDifference, tinyModel, tinyTokens } from "../library/tiny-model.js";

const settings = { data: tinyTokens(400), steps: 4, batchSize: 2, length: 16 };

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
const rounded = () => {
  using model = tinyModel();
  return quantize(model, { method: "rtn", bits: 4 });
};
/** A model that the tuner can work on. */
async function base(name: TunerName): Promise<LanguageModel> {
  return name === "peqa" ? rounded() : tinyModel();
}
const make = (model: LanguageModel, name: TunerName) => tune(model, { method: name } as TuneOptions);

/** What each tuner's registry entry promises, whatever the method: a new one is tested by its row here. */
describe.each(Object.keys(tuners) as TunerName[])("tuner %s", (name) => {
  it("is listed under its own name and changes nothing before the first step", async () => {
    expect(tuners[name].name).toBe(name);
    using model = await base(name);
    // Quantization-aware training starts from the rounded model, the others from the model as it was.
    using start = name === "qat" ? await rounded() : model.fork();
    expect(make(model, name)).toBe(model);
    expect(largestDifference(logits(model), logits(start))).toBeLessThan(name === "qat" ? 1e-5 : 1e-30);
  });

  it("says which numbers train, how many, and at what learning rate", async () => {
    using model = make(await base(name), name);
    const { tuning } = model;
    const trainable = model.trainableParameters();
    expect([...tuning!.trainable]).toEqual([...trainable].map(([parameter, tensor]) => [parameter, tensor.size]));
    expect(trainable.size).toBeGreaterThan(0);
    expect(tuning!.count).toBe([...trainable.values()].reduce((sum, { size }) => sum + size, 0));
    expect(tuning!.method).toBe(name);
    expect(tuning!.learningRate).toBeGreaterThan(0);
  });

  it("trains those numbers and no other, at its own learning rate", async () => {
    using model = make(await base(name), name);
    const trainable = new Set(model.trainableParameters().keys());
    const before = new Map(
      [...model.namedTensors()].map(([parameter, tensor]) => [parameter, [...tensor.arraySync()]]),
    );
    const { losses } = await train(model, settings);
    expect(losses.every(Number.isFinite)).toBe(true);
    for (const [parameter, tensor] of model.namedTensors()) {
      const changed = [...tensor.arraySync()].some((value, i) => value !== before.get(parameter)![i]);
      expect(changed, parameter).toBe(trainable.has(parameter));
    }
  });

  it("leaves a fork as it was, and frees everything with the model", async () => {
    const live = liveTensors();
    const model = await base(name);
    const fork = model.fork();
    const before = logits(fork);
    await train(make(model, name), settings);
    expect(logits(fork)).toEqual(before);
    model.dispose();
    expect(logits(fork)).toEqual(before);
    fork.dispose();
    expect(liveTensors()).toBe(live);
  });

  it("is at a whole step when it is stopped", async () => {
    using start = make(await base(name), name);
    using stopped = start.fork();
    const stop = new AbortController();
    const options = { ...settings, steps: 1000, schedule: "constant" } as const;
    const training = train(stopped, { ...options, signal: stop.signal });
    const loop = async () => {
      // At some moment of the step that follows.
      for await (const { step } of training) if (step === 3) setImmediate(() => stop.abort());
    };
    await expect(loop()).rejects.toThrow(InterruptedError);
    const { losses } = await training;
    expect(losses.length).toBeGreaterThanOrEqual(3);
    for await (const { step } of train(start, options)) if (step === losses.length) break;
    const numbers = (model: LanguageModel) => [...model.namedTensors()].map(([, tensor]) => [...tensor.arraySync()]);
    expect(numbers(stopped)).toEqual(numbers(start));
  });

  it("lowers the loss of what it sees", async () => {
    using model = make(await base(name), name);
    const { losses } = await train(model, { ...settings, steps: 40 });
    const mean = (part: readonly number[]) => part.reduce((a, b) => a + b, 0) / part.length;
    expect(mean(losses.slice(-5))).toBeLessThan(mean(losses.slice(0, 5)));
  });
});
