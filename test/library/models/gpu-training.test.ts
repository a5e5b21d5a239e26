import { tmpdir } from "node:os";
import { join } from "node:path";
import { mkdtemp, rm } from "node:fs/promises";
import {
  createModel,
  data,
  devices,
  loadModel,
  memory,
  OutOfMemoryError,
  peqa,
  qlora,
  quantize,
  saveModel,
  setMemoryLimit,
  train,
  tune,
  UnsupportedError,
  type LanguageModel,
} from "nibble-lab";
import { describe, expect, it } from "vitest";
import { tinyConfig, tinyModel, tinyTokens } from "../tiny-model.js";

const gpu = devices().find((device) => device.kind === "gpu")?.name ?? "gpu";
const absent = !devices().some((device) => device.kind === "gpu");

/** Bytes in use on the GPU. */
function live(): number {
  return memory().devices.find(({ device }) => device === gpu)?.live ?? 0;
}

/** The greatest difference of two curves, relative to the second's. */
function apart(curve: readonly number[], other: readonly number[]): number {
  expect(curve).toHaveLength(other.length);
  return Math.max(...curve.map((value, i) => Math.abs(value - other[i]!) / other[i]!));
}

describe.skipIf(absent)("training on a GPU (skipped where there is none)", () => {
  // 20 steps of pocket: on both devices the same rows, the same start, the same updates.
  const steps = { data: data.pocket.text("train"), steps: 20, batchSize: 1, length: 16, seed: 5 };
  const TOLERANCE = 1e-4;

  it.each([
    ["peqa", (model: LanguageModel) => peqa(model, { bits: 4, group: 64 })],
    ["qlora", (model: LanguageModel) => qlora(model, { rank: 8, alpha: 8, dropout: 0.1 })],
  ])(
    "%s follows the CPU's loss curve, leaves codes as they are, and then writes the same text",
    async (_, prepare) => {
      using model = await loadModel("pocket");
      using near = await prepare(model);
      using far = near.fork({ device: gpu });
      const hash = near.codesHash();
      const [expected, got] = [await train(near, steps), await train(far, steps)];
      expect(expected.losses.at(-1)).toBeLessThan(expected.losses[0]!);
      expect(apart(got.losses, expected.losses)).toBeLessThan(TOLERANCE);
      expect([near.codesHash(), far.codesHash()]).toEqual([hash, hash]);
      const [text, same] = [near, far].map((tuned) => tuned.generate("The old lighthouse", { maxTokens: 8 }));
      expect((await same!).tokens).toEqual((await text!).tokens);
    },
    600_000,
  );
});

describe.skipIf(absent)("a small model on a GPU (skipped where there is none)", () => {
  const steps = { data: tinyTokens(600), steps: 6, batchSize: 2, length: 8, learningRate: 1e-2 };

  it("is made, forked and moved with the same numbers", () => {
    using near = createModel(tinyConfig, { seed: 3, tiedKeyHeads: 1 });
    using made = createModel(tinyConfig, { seed: 3, tiedKeyHeads: 1, device: gpu });
    using moved = near.fork({ device: gpu });
    using back = moved.fork({ device: "cpu" });
    expect([near, made, moved, back].map((model) => model.device)).toEqual(["cpu", gpu, gpu, "cpu"]);
    const numbers = (model: LanguageModel) => [...model.namedTensors()].map(([name, t]) => [name, t.arraySync()]);
    for (const model of [made, moved, back]) expect(numbers(model)).toEqual(numbers(near));
    expect(() => near.fork({ device: "gpu:99" })).toThrow(UnsupportedError);
  });

  it.each(["adamw", "adamw8bit", "lion", "muon", "sgd"] as const)(
    "trains all of its weights by %s as the CPU does",
    async (optimizer) => {
      const learningRate = optimizer === "sgd" ? 1e-1 : 1e-3;
      const curves = [];
      for (const device of ["cpu", gpu]) {
        using model = createModel(tinyConfig, { seed: 3, device });
        tune(model, { method: "full" });
        curves.push((await train(model, { ...steps, optimizer, learningRate, clip: 1 })).losses);
      }
      expect(apart(curves[1]!, curves[0]!)).toBeLessThan(1e-3);
    },
    120_000,
  );

  it("trains zero-points, computes blocks again for their gradients, and adds up passes", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "rtn", bits: 3, group: 8 });
    using near = tune(small, { method: "peqa", zeroPoints: true, parametrization: "absolute" });
    using far = near.fork({ device: gpu });
    const options = { ...steps, gradientCheckpointing: true, gradientAccumulation: 2 };
    const [expected, got] = [await train(near, options), await train(far, options)];
    expect(apart(got.losses, expected.losses)).toBeLessThan(1e-3);
  });

  it.each(["rtn", "nf4", "fp4"] as const)(
    "is quantized to the CPU's codes by %s, and the report says where",
    async (method) => {
      using model = tinyModel();
      using far = model.fork({ device: gpu });
      using near = await quantize(model, { method });
      using small = await quantize(far, { method });
      expect(small.codesHash()).toBe(near.codesHash());
      expect(small.quantization!.layers.every(({ note }) => note === "on the CPU")).toBe(true);
      expect([...small.linears()].every(([, { weight }]) => weight.device === gpu)).toBe(true);
      await expect(quantize(far, { method, calibration: tinyTokens(64) })).rejects.toThrow(
        /Calibration runs on the CPU/,
      );
    },
  );

  it("loads packed weights from a folder", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "nf4", doubleQuant: true });
    const folder = await mkdtemp(join(tmpdir(), "nibble-"));
    try {
      await saveModel(small, join(folder, "small"));
      using near = await loadModel(join(folder, "small"));
      using far = await loadModel(join(folder, "small"), { device: gpu });
      expect(far.codesHash()).toBe(near.codesHash());
      const ids = [...tinyTokens(12)];
      const [expected, got] = [near.run(ids), far.run(ids)];
      const numbers = [...expected.arraySync()];
      expect(got.device).toBe(gpu);
      for (const [i, value] of got.arraySync().entries()) expect(value).toBeCloseTo(numbers[i]!, 4);
      expected.dispose();
      got.dispose();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("leaks no byte: as many live after step 2 as after the last", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "nf4", doubleQuant: true });
    using far = tune(small, { method: "lora", rank: 4, dropout: 0.1 }).fork({ device: gpu });
    const before = live();
    const held: number[] = [];
    for await (const { step } of train(far, { ...steps, steps: 40 })) if (step > 1) held.push(live());
    expect(new Set(held).size).toBe(1);
    expect(live()).toBe(before);
  });

  it("survives an allocation past the limit and a stop in mid-step", async () => {
    using model = tinyModel();
    using far = tune(model.fork({ device: gpu }), { method: "lora", rank: 4 });
    const before = live();
    setMemoryLimit(before + 20_000);
    try {
      await expect(train(far, steps)).rejects.toThrow(OutOfMemoryError);
    } finally {
      setMemoryLimit(0);
    }
    expect(live()).toBe(before);
    const stop = new AbortController();
    const run = train(far, { ...steps, steps: 1000, signal: stop.signal });
    await expect(
      (async () => {
        for await (const { step } of run) if (step === 3) stop.abort();
      })(),
    ).rejects.toThrow(/Stopped/);
    expect(live()).toBe(before);
    expect((await train(far, steps)).losses).toHaveLength(6);
  });
});
