import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createOptimizer,
  liveTensors,
  OptionError,
  train,
  tune,
  type LanguageModel,
  type TrainOptions,
} from "nibble-lab";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const settings = {
  data: tinyTokens(600),
  steps: 8,
  batchSize: 2,
  length: 16,
  learningRate: 1e-2,
  warmup: 2,
} satisfies TrainOptions;

let before = 0;
let model: LanguageModel;
beforeEach(() => {
  before = liveTensors();
  model = tune(tinyModel(), { method: "full" });
});
afterEach(() => {
  model.dispose();
  expect(liveTensors()).toBe(before);
});
const numbers = (of: LanguageModel) => [...of.namedTensors()].map(([, tensor]) => [...tensor.arraySync()]);

describe("a training that goes on from an earlier one", () => {
  it.each([1, 3, 7])("equals one that never stopped, cut after step %i", async (cut) => {
    using whole = model.fork();
    const { losses } = await train(whole, { ...settings, optimizer: "muon" });
    using state = createOptimizer(model.trainableParameters(), { optimizer: "muon" });
    for await (const { step } of train(model, { ...settings, state })) if (step === cut) break;
    expect(state.step).toBe(cut);
    const rest = await train(model, { ...settings, state, stepsDone: cut });
    expect(rest.history.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].slice(cut));
    expect(rest.losses).toEqual(losses.slice(cut));
    expect(numbers(model)).toEqual(numbers(whole));
  });

  it("differs where its moments begin anew", async () => {
    using kept = model.fork();
    using state = createOptimizer(kept.trainableParameters());
    await train(kept, { ...settings, state });
    await train(kept, { ...settings, state });
    for (let phase = 0; phase < 2; phase++) await train(model, settings);
    expect(numbers(model)).not.toEqual(numbers(kept));
  });

  it("refuses settings that its optimizer has already, and more steps done than there are", () => {
    using state = createOptimizer(model.trainableParameters());
    expect(() => train(model, { ...settings, state, beta1: 0.8, weightDecay: 0.1 })).toThrow(OptionError);
    expect(() => train(model, { ...settings, state, beta1: 0.8 })).toThrow(
      "beta1 came beside state. Give them to createOptimizer, which made the state.",
    );
    expect(() => train(model, { ...settings, stepsDone: 9 })).toThrow("stepsDone is 9, steps is 8.");
  });
});

describe("documents with weights", () => {
  const tokens = tinyTokens(200);
  const weights = Float32Array.from(tokens, (_, i) => (i % 5 === 0 ? 2 : 0));

  it("train on what counts: what follows a token of weight 0 does not change a step", async () => {
    const changed = tokens.slice();
    // The last row's last target, whose weight is 0, is no input of any row.
    const last = Math.floor((tokens.length - 1) / settings.length) * settings.length;
    expect(weights[last]).toBe(0);
    changed[last] = (changed[last]! + 1) % 23;
    using other = model.fork();
    const first = await train(model, { ...settings, data: [{ tokens, weights }] });
    const second = await train(other, { ...settings, data: [{ tokens: changed, weights }] });
    expect(second.losses).toEqual(first.losses);
    expect(numbers(other)).toEqual(numbers(model));
  });

  it("all equal train as documents without do", async () => {
    using other = model.fork();
    const plain = await train(model, { ...settings, data: [tokens] });
    const weighted = await train(other, { ...settings, data: [{ tokens, weights: new Float32Array(200).fill(1) }] });
    weighted.losses.forEach((loss, i) => expect(loss).toBeCloseTo(plain.losses[i]!, 4));
  });

  it("need one weight of at least 0 for each token", async () => {
    const bad = [
      { tokens, weights: [1] },
      { tokens, weights: weights.map((weight) => weight - 1) },
    ];
    for (const document of bad)
      await expect(train(model, { ...settings, data: [document] })).rejects.toThrow(/\[tokens\].*weight/);
  });
});
