import { describe, expect, it } from "vitest";
import type { LoraAdapter, LoraOptions } from "nibble-lab";
import { noGrad, qlora, quantize, scope, Tensor, train, tune, UnsupportedError, type LanguageModel } from "nibble-lab";
import { largestDifference, tinyModel, tinyTokens } from "../tiny-model.js";
import { gradientPairs } from "./gradients.js";

const settings = { data: tinyTokens(400), steps: 5, batchSize: 2, length: 16, learningRate: 1e-2 };

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
/** As if trained: B is no longer 0. */
function disturb(model: LanguageModel): void {
  for (const [, { adapter }] of model.linears()) {
    const { b } = adapter as LoraAdapter;
    b.write(Float32Array.from({ length: b.size }, (_, i) => 0.1 * Math.sin(i + 1)));
  }
}

describe("lora", () => {
  it.each(["f32", "nf4", "rtn"] as const)("changes nothing before its first step, over %s", async (base) => {
    using model = tinyModel();
    using small = base === "f32" ? model.fork() : await quantize(model, { method: base });
    const before = logits(small);
    tune(small, { method: "lora", rank: 4 });
    expect(logits(small)).toEqual(before);
    await train(small, settings);
    expect(logits(small)).not.toEqual(before);
  });

  it.each(["f32", "nf4", "rtn"] as const)("has the gradients of central differences, over %s", async (base) => {
    using model = tinyModel();
    using small = base === "f32" ? model.fork() : await quantize(model, { method: base });
    tune(small, { method: "lora", rank: 3, alpha: 6 });
    disturb(small);
    for (const { name, tape, difference } of gradientPairs(small, 2e-3)) {
      expect(Math.abs(tape / difference - 1), `${name}: ${tape} against ${difference}`).toBeLessThan(0.01);
    }
  });

  it("adds (alpha / rank)·A·B to the weight", async () => {
    using model = tinyModel();
    using tuned = tune(model.fork(), { method: "lora", rank: 2, alpha: 3 });
    disturb(tuned);
    using merged = model.fork();
    const layers = new Map(tuned.linears());
    for (const [name, { weight, rows, columns }] of merged.linears()) {
      const { a, b } = layers.get(name)!.adapter as LoraAdapter;
      const [A, B] = [a.arraySync(), b.arraySync()];
      const [, dense] = [...weight.namedTensors()][0]!;
      const sum = Float32Array.from(dense.arraySync(), (value, i) => {
        const [row, column] = [Math.floor(i / columns), i % columns];
        return value + 1.5 * (B[row * 2]! * A[column]! + B[row * 2 + 1]! * A[columns + column]!);
      });
      expect(sum).toHaveLength(rows * columns);
      dense.requiresGrad = true; // its own bytes
      dense.write(sum);
    }
    expect(largestDifference(logits(tuned), logits(merged))).toBeLessThan(1e-4);
    expect(largestDifference(logits(tuned), logits(model))).toBeGreaterThan(1e-2);
  });

  it("starts from normal numbers of deviation 1/rank, the same for the same seed", () => {
    using model = tinyModel();
    const start = (seed: number) => {
      using tuned = tune(model.fork(), { method: "lora", rank: 8, seed });
      return [...tuned.linears()].flatMap(([, { adapter }]) => [...(adapter as LoraAdapter).a.arraySync()]);
    };
    const numbers = start(1);
    expect(start(1)).toEqual(numbers);
    expect(start(2)).not.toEqual(numbers);
    const deviation = Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0) / numbers.length);
    expect(Math.abs(deviation * 8 - 1)).toBeLessThan(0.1);
    expect(numbers.slice(0, 16)).not.toEqual(numbers.slice(8 * 16, 8 * 16 + 16));
  });

  it("multiplies by alpha / rank, or by alpha / √rank where it is rank-stabilized", () => {
    using model = tinyModel();
    const scaling = (options: Omit<LoraOptions, "seed">) => {
      using tuned = tune(model.fork(), { method: "lora", ...options });
      return ([...tuned.linears()][0]![1].adapter as LoraAdapter).scaling;
    };
    expect(scaling({ rank: 9 })).toBe(1);
    expect(scaling({ rank: 9, alpha: 3 })).toBe(1 / 3);
    expect(scaling({ rank: 9, rankStabilized: true })).toBe(1);
    expect(scaling({ rank: 9, alpha: 6, rankStabilized: true })).toBe(2);
  });

  it("drops numbers on their way to A in training alone, others for each step and layer", async () => {
    using model = tune(tinyModel(), { method: "lora", rank: 2, dropout: 0.5, seed: 3 });
    disturb(model);
    const adapters = [...model.linears()].map(([, { adapter }]) => adapter as LoraAdapter);
    const x = Tensor.full([64, 16], 1);
    const y = Tensor.zeros([64, 16]);
    const [one, other] = [adapters[0]!, adapters[3]!];
    const added = (adapter: LoraAdapter) => scope(() => [...adapter.apply(x.share(), y.share()).arraySync()]);
    const training = added(one);
    expect(added(one)).toEqual(training);
    const still = noGrad(() => added(one));
    expect(new Set(still).size).toBeLessThanOrEqual(16);
    // Kept numbers are doubled, so that the mean stays.
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + Math.abs(b), 0) / values.length;
    expect(new Set(training).size).toBeGreaterThan(200);
    expect(mean(training) / mean(still)).toBeGreaterThan(0.8);
    expect(added(other)).not.toEqual(training);
    one.a.write(Float32Array.from(one.a.arraySync()));
    expect(added(one)).not.toEqual(training);
    for (const tensor of [x, y]) tensor.dispose();
  });

  it("trains the same with dropout whether blocks are kept or computed again", async () => {
    using model = tinyModel();
    const trained = async (gradientCheckpointing: boolean, seed: number) => {
      using tuned = tune(model.fork(), { method: "lora", rank: 2, dropout: 0.3, seed });
      await train(tuned, { ...settings, gradientCheckpointing });
      return logits(tuned);
    };
    const kept = await trained(false, 1);
    expect(await trained(true, 1)).toEqual(kept);
    expect(await trained(false, 1)).toEqual(kept);
    expect(await trained(false, 2)).not.toEqual(kept);
  });

  it("trains only what targets name, and leaves the base alone", async () => {
    using model = tinyModel();
    const before = [...model.namedTensors()].map(([, tensor]) => [...tensor.arraySync()]);
    using tuned = tune(model.fork(), { method: "lora", rank: 2, targets: ["q_proj", "v_proj"] });
    await train(tuned, settings);
    expect([...tuned.tuning!.trainable.keys()]).toEqual(
      [0, 1].flatMap((block) =>
        ["q_proj", "v_proj"].flatMap((layer) =>
          ["lora_A", "lora_B"].map((ab) => `blocks.${block}.attention.${layer}.adapter.${ab}`),
        ),
      ),
    );
    expect([...model.namedTensors()].map(([, tensor]) => [...tensor.arraySync()])).toEqual(before);
    const kept = [...tuned.namedTensors()].filter(([name]) => !name.includes("lora_"));
    expect(kept.map(([, tensor]) => [...tensor.arraySync()])).toEqual(before);
  });

  it("refuses a layer that has an adapter already, and bad options", () => {
    using model = tinyModel();
    tune(model, { method: "lora", targets: ["q_proj"] });
    expect(() => tune(model, { method: "lora" })).toThrow(UnsupportedError);
    expect(() => tune(model, { method: "lora" })).toThrow(
      "blocks.0.attention.q_proj has an adapter already (lora of rank 16).",
    );
    expect(() => tune(model, { method: "lora", rank: 0 })).toThrow("rank is 0. Allowed: a whole number of at least 1.");
    expect(() => tune(model, { method: "lora", dropout: 1 })).toThrow(
      "dropout is 1. Allowed: a number from 0 to below 1.",
    );
    expect(() => tune(model, { method: "lora", targets: ["qproj"] })).toThrow('targets "qproj" fits no layer.');
    expect(() => tune(model, { method: "lora", ranks: 2 } as never)).toThrow('lora has no option "ranks".');
    expect(() => tune(model, { method: "peqa", rank: 2 } as never)).toThrow(
      'peqa has no option "rank". Its options: parametrization, zeroPoints; for every method: targets. lora has it.',
    );
    // @ts-expect-error peqa has no rank
    expect(() => tune(model, { method: "peqa", rank: 2 })).toThrow();
  });

  it("is QLoRA over NF4 with double quantization", async () => {
    using model = tinyModel();
    using tuned = await qlora(model, { rank: 4 });
    const [, { weight, adapter }] = [...tuned.linears()][0]!;
    expect(weight.description).toBe("nf4, a scale for 64, double quantization");
    expect((adapter as LoraAdapter).scaling).toBe(4);
    const hash = tuned.codesHash();
    await train(tuned, settings);
    expect(tuned.codesHash()).toBe(hash);
  });
});
