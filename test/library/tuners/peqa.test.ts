import { describe, expect, it } from "vitest";
import type { PackedWeight } from "nibble-lab";
import { peqa, quantize, scope, train, tune, UnsupportedError, type LanguageModel } from "nibble-lab";
import { largestDifference, tinyModel, tinyTokens } from "../tiny-model.js";
import { gradientPairs, lossOf } from "./gradients.js";

const data = tinyTokens(400);
const settings = { data, steps: 5, batchSize: 2, length: 16, learningRate: 2e-2 };

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
function packedOf(model: LanguageModel): PackedWeight[] {
  return [...model.linears()].map(([, { weight }]) => weight as PackedWeight);
}
function codesOf(model: LanguageModel): number[][] {
  return packedOf(model).map(({ codes, zeroPoints }) => [...codes.arraySync(), ...zeroPoints!.arraySync()]);
}

describe("peqa", () => {
  for (const group of ["channel", 8] as const) {
    for (const parametrization of ["relative", "absolute"] as const) {
      it.each([false, true])(
        `has the gradients of central differences: ${parametrization}, group ${group}, zero-points %s`,
        async (zeroPoints) => {
          using model = tinyModel();
          using small = await quantize(model, { method: "rtn", bits: 3, group });
          tune(small, { method: "peqa", parametrization, zeroPoints });
          expect(small.trainableParameters().size).toBe(zeroPoints ? 28 : 14);
          for (const { name, tape, difference } of gradientPairs(small, 2e-3)) {
            expect(Math.abs(tape / difference - 1), `${name}: ${tape} against ${difference}`).toBeLessThan(0.01);
          }
        },
      );

      it(`moves scales and leaves every code and zero-point as it was: ${parametrization}, group ${group}`, async () => {
        using model = tinyModel();
        using small = await quantize(model, { method: "rtn", bits: 2, group });
        const [hash, codes] = [small.codesHash(), codesOf(small)];
        tune(small, { method: "peqa", parametrization });
        const untrained = logits(small);
        const { losses } = await train(small, settings);
        expect(losses).toHaveLength(5);
        expect(logits(small)).not.toEqual(untrained);
        expect(codesOf(small)).toEqual(codes);
        expect(small.codesHash()).toBe(hash);
      });
    }
  }

  it("is the same model before its first step, relative or absolute", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "rtn", bits: 4 });
    using relative = tune(small.fork(), { method: "peqa" });
    using absolute = tune(small.fork(), { method: "peqa", parametrization: "absolute" });
    expect(logits(relative)).toEqual(logits(small));
    expect(logits(absolute)).toEqual(logits(small));
  });

  it.each([{ parametrization: "relative" }, { parametrization: "absolute", zeroPoints: true }] as const)(
    "is the same model after the change is folded into the grid: %o",
    async (options) => {
      using model = tinyModel();
      using small = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "peqa", ...options });
      await train(small, settings);
      using merged = small.fork();
      for (const [, linear] of merged.linears()) linear.replaceWeight((linear.weight as PackedWeight).merged());
      expect(logits(merged)).toEqual(logits(small));
      expect(packedOf(merged).every(({ adapter }) => adapter === null)).toBe(true);
    },
  );

  it("never lets a scale reach 0, however large the steps", async () => {
    using model = tinyModel();
    for (const parametrization of ["relative", "absolute"] as const) {
      using small = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "peqa", parametrization });
      await train(small, { ...settings, learningRate: 5 });
      const scales = packedOf(small).flatMap((packed) => [...packed.merged().scales.arraySync()]);
      expect(Math.min(...scales)).toBeGreaterThan(0);
      expect(lossOf(small)).toBeGreaterThan(0);
    }
  });

  it("leaves the stored zero-points as they were while its own train", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "rtn", bits: 3 });
    const [hash, codes] = [small.codesHash(), codesOf(small)];
    tune(small, { method: "peqa", zeroPoints: true });
    await train(small, settings);
    expect(small.codesHash()).toBe(hash);
    expect(codesOf(small)).toEqual(codes);
    const moved = packedOf(small).map(({ adapter, zeroPoints }) =>
      largestDifference(adapter!.change.zeroPoints!, zeroPoints!),
    );
    expect(Math.min(...moved)).toBeGreaterThan(0);
  });

  it("leaves a model that it was forked from as it was", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "rtn", bits: 2 });
    const before = logits(small);
    for (const parametrization of ["relative", "absolute"] as const) {
      using tuned = tune(small.fork(), { method: "peqa", parametrization });
      await train(tuned, settings);
      expect(largestDifference(logits(tuned), before)).toBeGreaterThan(0);
      expect(logits(small)).toEqual(before);
    }
    // The other way round: what forked before the training stays where it was forked.
    using fork = small.fork();
    tune(small, { method: "peqa", parametrization: "absolute" });
    await train(small, settings);
    expect(logits(fork)).toEqual(before);
  });

  it("trains one number a row, or a group, and says which", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 4, group: 8 }), { method: "peqa" });
    const expected = [...small.linears()].map(([name, { rows, columns }]) => [
      `${name}.weight.adapter.delta`,
      (rows * columns) / 8,
    ]);
    expect([...small.tuning!.trainable]).toEqual(expected);
    expect([...small.trainableParameters().keys()]).toEqual(expected.map(([name]) => name));
    expect(String(small.tuning)).toMatch(
      /^peqa: the scales train, relative; codes and zero-points stay; \d+ numbers train/,
    );
  });

  it("trains only the layers that targets name", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 4 }), { method: "peqa", targets: ["mlp.*"] });
    expect([...small.tuning!.trainable.keys()].every((name) => name.includes(".mlp."))).toBe(true);
    expect(small.tuning!.trainable.size).toBe(6);
  });

  it("refuses what has no integer codes, says what to do, and leaves the model as it was", async () => {
    using model = tinyModel();
    expect(() => tune(model, { method: "peqa" })).toThrow(UnsupportedError);
    expect(() => tune(model, { method: "peqa" })).toThrow(
      "[tune] peqa trains the scales of codes, but blocks.0.attention.q_proj is stored as f32. Quantize the model first",
    );
    using small = await quantize(model, { method: "nf4" });
    expect(() => tune(small, { method: "peqa" })).toThrow('is stored as nf4. Quantize with "rtn" instead');
    expect(small.tuning).toBeNull();
    expect(small.trainableParameters().size).toBe(0);
  });

  it("refuses scales that train already", async () => {
    using model = tinyModel();
    using small = await peqa(model, { bits: 4 });
    expect(() => tune(small, { method: "peqa" })).toThrow(
      "[tune] blocks.0.attention.q_proj has relative scales already. Train them on",
    );
  });

  it("is a preset of two calls", async () => {
    using model = tinyModel();
    using tuned = await peqa(model, { bits: 3 });
    expect([tuned.quantization!.method, tuned.tuning!.method]).toEqual(["rtn", "peqa"]);
    expect(packedOf(tuned)[0]!.format).toBe("int3");
    expect(lossOf(tuned)).toBeGreaterThan(0);
    await expect(peqa(model, { bit: 3 } as never)).rejects.toThrow('Did you mean "bits"?');
  });
});
