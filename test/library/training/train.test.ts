import { once } from "node:events";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clearInterrupt, interrupt } from "@nibble-lab/native";
import {
  InterruptedError,
  liveTensors,
  memory,
  NumericsError,
  OptionError,
  train,
  tune,
  UnsupportedError,
  type LanguageModel,
  type TrainingStep,
  type TrainOptions,
} from "nibble-lab";
import { events } from "nibble-lab/events";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const settings = {
  data: tinyTokens(600),
  steps: 6,
  batchSize: 2,
  length: 16,
  learningRate: 1e-2,
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

function numbers(of: LanguageModel = model): number[][] {
  return [...of.namedTensors()].map(([, tensor]) => [...tensor.arraySync()]);
}
/** A thread that raises the engine's interrupt flag when pressed, while this one computes. */
async function stopButton(): Promise<{ press: () => void; gone: Promise<unknown> }> {
  const pressed = new Int32Array(new SharedArrayBuffer(4));
  const program =
    'const { parentPort, workerData } = require("node:worker_threads");' +
    "import(workerData.addon).then(({ interrupt }) => {" +
    '  parentPort.postMessage("ready"); Atomics.wait(workerData.pressed, 0, 0); interrupt(); });';
  const addon = createRequire(import.meta.url).resolve("@nibble-lab/native");
  const worker = new Worker(program, { eval: true, workerData: { addon, pressed } });
  const gone = once(worker, "exit");
  await once(worker, "message");
  const press = () => {
    Atomics.store(pressed, 0, 1);
    Atomics.notify(pressed, 0);
  };
  return { press, gone };
}
/** The weights after so many steps of a training that would be longer. */
async function after(steps: number, options: TrainOptions = settings): Promise<number[][]> {
  using fork = model.fork();
  for await (const { step } of train(fork, options)) if (step === steps) break;
  return numbers(fork);
}

describe("train", () => {
  it("gives the same steps and the same weights as an iterator and as a promise", async () => {
    using looped = model.fork();
    const steps: TrainingStep[] = [];
    const training = train(looped, settings);
    for await (const step of training) steps.push(step);
    const run = await train(model, settings);
    expect(run.losses).toEqual(steps.map(({ loss }) => loss));
    expect(run.history.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(numbers(looped)).toEqual(numbers());
    const afterwards = await training;
    expect([afterwards.outcome, afterwards.losses]).toEqual(["finished", run.losses]);
  });

  it("learns: the loss of what it sees falls", async () => {
    const { losses } = await train(model, { ...settings, steps: 30 });
    expect(losses.at(-1)!).toBeLessThan(0.7 * losses[0]!);
  });

  it("follows its seed", async () => {
    const losses = async (seed: number) => {
      using fork = model.fork();
      return (await train(fork, { ...settings, seed })).losses;
    };
    expect(await losses(1)).toEqual(await losses(1));
    expect(await losses(1)).not.toEqual(await losses(2));
  });

  it("averages the gradients of several passes as if they were one batch", async () => {
    using split = model.fork();
    const whole = await train(model, { ...settings, batchSize: 4 });
    const parts = await train(split, { ...settings, batchSize: 2, gradientAccumulation: 2 });
    parts.losses.forEach((loss, i) => expect(loss).toBeCloseTo(whole.losses[i]!, 3));
    expect(parts.history[0]!.gradientNorm).toBeCloseTo(whole.history[0]!.gradientNorm, 3);
    expect([parts.tokens, parts.tokensPerStep]).toEqual([whole.tokens, whole.tokensPerStep]);
  });

  it("makes AdamW's first step: each number moves by the learning rate against its gradient's sign", async () => {
    const start = numbers();
    const moved = await after(1, { ...settings, schedule: "constant", learningRate: 1e-3 });
    const steps = start
      .flatMap((tensor, i) => tensor.map((value, j) => Math.abs(moved[i]![j]! - value)))
      .filter((step) => step > 0);
    steps.sort((a, b) => a - b);
    expect(steps.at(-1)!).toBeLessThan(1.01e-3);
    expect(steps[Math.floor(steps.length / 2)]!).toBeGreaterThan(0.99e-3);
  });

  it("clips by the norm of all gradients together, and reports the norm before", async () => {
    // With a large epsilon AdamW's first step is learningRate · gradient, so that its length shows the clipped norm.
    const options = { ...settings, steps: 1, learningRate: 10, epsilon: 1 };
    const start = numbers();
    const lengths: number[] = [];
    const norms: number[] = [];
    for (const clip of [1e-2, 0]) {
      using fork = model.fork();
      norms.push((await train(fork, { ...options, clip })).history[0]!.gradientNorm);
      const moved = numbers(fork).flatMap((tensor, i) => tensor.map((value, j) => value - start[i]![j]!));
      lengths.push(Math.hypot(...moved));
    }
    expect(norms[0]).toBe(norms[1]);
    expect(Math.abs(lengths[0]! / (10 * 1e-2) - 1)).toBeLessThan(0.02);
    expect(lengths[1]!).toBeGreaterThan(10 * lengths[0]!);
  });

  it("keeps gradients and optimizer numbers only while it runs, and they belong to the parameters", async () => {
    const bytes = (category: string) =>
      memory()
        .devices.flatMap(({ byCategory }) => byCategory)
        .find((one) => one.category === category)!.bytes;
    const trained = [...model.trainableParameters().values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
    for await (const { step } of train(model, settings)) {
      expect(step).toBe(1);
      expect(bytes("optimizer")).toBe(2 * trained);
      expect(
        memory({ owners: 200 }).owners.some(
          ({ owner, category }) => category === "optimizer" && owner === "blocks.0.mlp.up_proj.weight",
        ),
      ).toBe(true);
      break;
    }
    expect([bytes("optimizer"), bytes("gradients")]).toEqual([0, 0]);
  });

  it("tells its events: start, each step, end", async () => {
    const seen: string[] = [];
    const offs = [
      events.on("training.start", ({ method, steps }) => seen.push(`start ${method} ${steps}`)),
      events.on("training.step", ({ step, steps }) => seen.push(`step ${step}/${steps}`)),
      events.on("training.end", ({ steps, outcome }) => seen.push(`end ${steps} ${outcome}`)),
    ];
    await train(model, { ...settings, steps: 2 });
    for await (const { step } of train(model, settings)) if (step === 1) break;
    for (const off of offs) off();
    expect(seen).toEqual([
      "start full 2",
      "step 1/2",
      "step 2/2",
      "end 2 finished",
      "start full 6",
      "step 1/6",
      "end 1 stopped",
    ]);
  });

  it("shows its loss curve and what it did", async () => {
    const run = await train(model, settings);
    const bundle = (run as unknown as Record<symbol, () => Record<string, string>>)[Symbol.for("Jupyter.display")]!();
    expect(bundle["text/plain"]).toMatch(/^full: finished after 6 of 6 steps, loss \d.*tokens\/s\n[▁-█]{6}$/);
    expect(bundle["text/html"]).toContain("<svg");
    expect(bundle["image/svg+xml"]).toContain("<polyline");
  });

  it("lets the event loop turn between steps", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await train(model, { ...settings, steps: 20 });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });
});

describe("a training that is stopped", () => {
  it("by its signal leaves the model at a whole step", async () => {
    const expected = await after(3);
    const stop = new AbortController();
    const training = train(model, { ...settings, signal: stop.signal });
    const loop = async () => {
      for await (const { step } of training) if (step === 3) stop.abort();
    };
    await expect(loop()).rejects.toThrow(InterruptedError);
    expect(numbers()).toEqual(expected);
    const run = await training;
    expect([run.outcome, run.losses.length]).toEqual(["stopped", 3]);
  });

  it("by the stop button, in the middle of a step, leaves the model at a whole step", async () => {
    const expected = await after(2);
    const loop = async () => {
      for await (const { step } of train(model, settings)) if (step === 2) interrupt();
    };
    try {
      await expect(loop()).rejects.toThrow(InterruptedError);
    } finally {
      clearInterrupt();
    }
    expect(numbers()).toEqual(expected);
    // And it can go on from there.
    expect((await train(model, { ...settings, steps: 1 })).losses).toHaveLength(1);
  });

  it("by the stop button at any instant, pressed in another thread, leaves the model at a whole step", async () => {
    const options = { ...settings, schedule: "constant", steps: 100_000 } satisfies TrainOptions;
    for (let attempt = 0; attempt < 4; attempt++) {
      using fork = model.fork();
      const { press, gone } = await stopButton();
      const training = train(fork, options);
      const loop = async () => {
        for await (const { step } of training) if (step === 2 + attempt) press();
      };
      try {
        await expect(loop()).rejects.toThrow(InterruptedError);
      } finally {
        await gone;
        clearInterrupt();
      }
      const { losses } = await training;
      expect(losses.length).toBeGreaterThanOrEqual(2 + attempt);
      expect(numbers(fork)).toEqual(await after(losses.length, options));
    }
  });

  it("by its signal while it reads its data, which may be endless, is as if it had not begun", async () => {
    const stop = new AbortController();
    const endless = (function* () {
      for (;;) yield Int32Array.of(1, 2, 3);
    })();
    const off = events.on("progress", ({ label }) => label === "reading the training data" && stop.abort());
    const start = numbers();
    const training = train(model, { ...settings, steps: 1e9, data: endless, signal: stop.signal });
    await expect(training).rejects.toThrow(InterruptedError);
    off();
    expect(numbers()).toEqual(start);
    expect((await training).losses).toEqual([]);
  });

  it("by leaving the loop leaves the model at a whole step, and frees what it used", async () => {
    const expected = await after(4);
    const live = liveTensors();
    for await (const { step } of train(model, settings)) if (step === 4) break;
    expect(numbers()).toEqual(expected);
    expect(liveTensors()).toBe(live);
  });

  it("by a loss that is not finite says at which step, and keeps the last good weights", async () => {
    const training = train(model, settings);
    let good: number[][] = [];
    const loop = async () => {
      for await (const { step } of training) {
        if (step < 3) continue;
        good = numbers();
        const [, tensor] = [...model.namedTensors()].find(([name]) => name === "blocks.1.mlp.gate_proj.weight")!;
        tensor.write(new Float32Array(tensor.size).fill(NaN));
      }
    };
    await expect(loop()).rejects.toThrow(NumericsError);
    await expect(train(model, settings)).rejects.toThrow(
      /^\[train\] The loss at step 1 is NaN\. The model is as it was after step 0\. Lower the learning rate \(it was 0\.01\)/,
    );
    const now = numbers();
    const changed = now.filter((tensor, i) => tensor.some((value, j) => value !== good[i]![j]));
    expect(changed).toHaveLength(1);
    expect((await training).outcome).toBe("failed");
  });
});

describe("train refuses", () => {
  it.each([
    ["no data", { steps: 2 }, "No data came."],
    ["a misspelt option", { data: "x", step: 2 }, 'has no option "step".'],
    [
      "an unknown schedule",
      { ...settings, schedule: "cosin" },
      'schedule is "cosin". Allowed: "constant", "cosine", "linear". Did you mean "cosine"?',
    ],
    [
      "rows longer than the model's positions",
      { ...settings, length: 33 },
      "length is 33. Allowed: a whole number from 1 to 32.",
    ],
    ["too little data", { ...settings, data: tinyTokens(10) }, "data has 10 tokens"],
    ["a learning rate that is no number", { ...settings, learningRate: NaN }, "learningRate is NaN."],
  ])("%s, before anything begins", (_, options, text) => {
    expect(() => train(model, options as TrainOptions)).toThrow(OptionError);
    expect(() => train(model, options as TrainOptions)).toThrow(text);
  });

  it("too little text, once it has read it", async () => {
    const short = { ...settings, data: [Int32Array.of(1, 2, 3), Int32Array.of(4, 5)] };
    await expect(train(model, short)).rejects.toThrow("[train] data has 5 tokens, a row needs length + 1 = 17.");
    await expect(train(model, { ...settings, data: ["text"] })).rejects.toThrow('"tiny" has no tokenizer');
  });

  it("a model in which nothing trains, and one whose learning rate nobody chose", () => {
    using plain = tinyModel();
    expect(() => train(plain, settings)).toThrow(UnsupportedError);
    expect(() => train(plain, settings)).toThrow('Nothing in "tiny" trains. Call tune(model, { method: "lora" })');
    const { data, steps, batchSize, length } = settings;
    const rest = { data, steps, batchSize, length };
    const [, tensor] = [...plain.namedTensors()][0]!;
    tensor.requiresGrad = true;
    expect(() => train(plain, rest)).toThrow("No learning rate came, and no tuner chose one.");
    expect(() => train(model, rest)).not.toThrow();
  });

  it("to begin twice", async () => {
    const training = train(model, settings);
    for await (const { step } of training) if (step === 1) break;
    expect(() => training[Symbol.asyncIterator]()).toThrow("started already. Call train again");
  });
});
