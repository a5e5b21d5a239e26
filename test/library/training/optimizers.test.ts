import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  backward,
  createOptimizer,
  DisposedError,
  FormatError,
  liveTensors,
  memory,
  OptionError,
  optimizers,
  scope,
  Tensor,
  train,
  tune,
  type LanguageModel,
  type OptimizerName,
} from "nibble-lab";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const names = Object.keys(optimizers) as OptimizerName[];
const settings = { data: tinyTokens(600), steps: 30, batchSize: 4, length: 16 };
const rates: Record<OptimizerName, number> = { adamw: 1e-2, adamw8bit: 1e-2, lion: 2e-3, muon: 1e-2, sgd: 3e-2 };

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

const numbers = (of: LanguageModel) => [...of.namedTensors()].map(([, tensor]) => tensor.arraySync());

/** So many steps by hand on one batch. */
function steps(optimizer: ReturnType<typeof createOptimizer>, count: number, learningRate: number): void {
  const tokens = tinyTokens(64);
  for (let step = 0; step < count; step++) {
    scope(() => backward(model.loss({ tokens, targets: tokens, batch: 2 })));
    optimizer.update({ learningRate });
    for (const tensor of model.trainableParameters().values()) tensor.clearGrad();
  }
}

describe.each(names)("%s", (optimizer) => {
  it("learns", async () => {
    const { losses } = await train(model, { ...settings, optimizer, learningRate: rates[optimizer] });
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
  });

  it("goes on from saved states as if it had never stopped", () => {
    const options = { optimizer, weightDecay: 0.1, ...(optimizer === "adamw8bit" && { smallest8Bit: 0 }) };
    const make = () => createOptimizer(model.trainableParameters(), options);
    const start = [...model.namedTensors()].map(([, tensor]) => tensor.arraySync());
    using whole = make();
    steps(whole, 5, rates[optimizer]);
    const expected = numbers(model);
    [...model.namedTensors()].forEach(([, tensor], i) => tensor.write(start[i]!));
    using first = make();
    steps(first, 2, rates[optimizer]);
    const saved = new Map([...first.namedTensors()].map(([name, tensor]) => [name, tensor.arraySync()]));
    using second = make();
    second.restore(first.step, saved);
    steps(second, 3, rates[optimizer]);
    expect(numbers(model)).toEqual(expected);
    expect(second.step).toBe(5);
  });

  it("refuses a bad learning rate and leaves everything as it was", () => {
    using made = createOptimizer(model.trainableParameters(), { optimizer });
    scope(() => backward(model.loss({ tokens: tinyTokens(8), targets: tinyTokens(8), batch: 1 })));
    const start = numbers(model);
    for (const learningRate of [Number.NaN, -1, Infinity]) {
      expect(() => made.update({ learningRate })).toThrow(OptionError);
      expect(() => train(model, { ...settings, optimizer, learningRate })).toThrow(OptionError);
    }
    expect(numbers(model)).toEqual(start);
    expect(made.step).toBe(0);
    for (const tensor of model.trainableParameters().values()) tensor.clearGrad();
  });
});

describe("optimizers", () => {
  it("move a group by its own learning rate and weight decay", () => {
    const parameters = model.trainableParameters();
    const groups = [
      { names: "*Norm.weight", learningRate: 0 },
      { names: ["embed.*"], weightDecay: 0.5 },
    ];
    using optimizer = createOptimizer(parameters, { optimizer: "sgd", momentum: 0, learningRate: 0.1, groups });
    const start = new Map([...parameters].map(([name, tensor]) => [name, tensor.arraySync()]));
    for (const tensor of parameters.values()) tensor.grad = Tensor.zeros(tensor.shape);
    optimizer.update({ learningRate: 0.1 });
    for (const [name, tensor] of parameters) {
      const shrink = name.startsWith("embed") ? 1 - 0.1 * 0.5 : 1;
      const moved = tensor.arraySync();
      start.get(name)!.forEach((value, i) => expect(moved[i]!).toBeCloseTo(value * shrink, 6));
      tensor.grad!.dispose();
      tensor.grad = null;
    }
  });

  it("name what is wrong with groups and options", () => {
    const parameters = model.trainableParameters();
    const refused: [object, string][] = [
      [{ groups: [{ names: "lm_head.*" }] }, 'The group "lm_head.*" fits no parameter that trains.'],
      [{ groups: [{ names: "embed.*" }, { names: "*.weight" }] }, '"embed.weight" fits two groups.'],
      [{ groups: [{ names: "embed.*", learningRate: 1 }] }, "there is no common one"],
      [{ groups: [{ names: "embed.*", weightDecay: -1 }] }, "weightDecay is -1"],
      [{ groups: [{ weightDecay: 1 }] }, "A group has no names"],
      [{ optimizer: "adam" }, 'Did you mean "adamw"?'],
      [{ optimizer: "lion", nesterov: true }, "muon and sgd have it."],
      [{ optimizer: "sgd", momentum: 1 }, "momentum is 1. Allowed: a number from 0 to below 1."],
      [{ weightDecay: Number.NaN }, "weightDecay is NaN"],
    ];
    for (const [options, text] of refused) expect(() => createOptimizer(parameters, options)).toThrow(text);
    expect(() => train(model, { ...settings, learningRate: 1, groups: [{ names: "none" }] } as never)).toThrow(
      OptionError,
    );
  });

  it("keep eight-bit moments in about two bytes a number", () => {
    const parameters = model.trainableParameters();
    const count = [...parameters.values()].reduce((total, { size }) => total + size, 0);
    const bytes = () => memory().devices[0]!.byCategory.find(({ category }) => category === "optimizer")!.bytes;
    const start = bytes();
    const optimizer = createOptimizer(parameters, { optimizer: "adamw8bit", smallest8Bit: 0 });
    expect(bytes() - start).toBeLessThan(2.2 * count);
    optimizer.dispose();
    expect(bytes()).toBe(start);
    expect(() => optimizer.update({ learningRate: 1 })).toThrow(DisposedError);
  });

  it("refuse states that are not theirs and keep their own", () => {
    using optimizer = createOptimizer(model.trainableParameters());
    expect(() => optimizer.restore(3, new Map())).toThrow(FormatError);
    expect(() => optimizer.restore(3, new Map([["embed.weight.first", new Float32Array(1)]]))).toThrow("has 1 numbers");
    expect(optimizer.step).toBe(0);
  });
});
