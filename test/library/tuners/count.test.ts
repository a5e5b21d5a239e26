import { describe, expect, it } from "vitest";
import { countTrainable, quantize, tune, type ModelConfig } from "nibble-lab";
import { tinyModel } from "../tiny-model.js";

/** LLaMA (Touvron et al. 2023): width, MLP width, layers, heads. */
const LLAMA = {
  "7B": [4096, 11008, 32, 32],
  "13B": [5120, 13824, 40, 40],
  "30B": [6656, 17920, 60, 52],
  "65B": [8192, 22016, 80, 64],
} as const;

function llama(size: keyof typeof LLAMA): ModelConfig {
  const [hiddenSize, intermediateSize, layers, heads] = LLAMA[size];
  return {
    modelType: "llama",
    vocabSize: 32000,
    hiddenSize,
    intermediateSize,
    layers,
    heads,
    kvHeads: heads,
    headDim: hiddenSize / heads,
    maxPositions: 2048,
    normEpsilon: 1e-6,
    ropeTheta: 10000,
    tieEmbeddings: false,
    attentionBias: false,
    mlpBias: false,
    bosToken: 1,
    eosTokens: [2],
  };
}

describe("countTrainable", () => {
  it.each([
    ["7B", 1.36, 2.1, 16.78, 50.6, 6.738],
    ["13B", 2.13, 3.28, 26.21, 99.1, 13.016],
    ["30B", 4.15, 6.39, 51.12, 251, 32.529],
    ["65B", 6.8, 10.49, 83.89, 506, 65.286],
  ] as const)(
    "gives the counts that are published for LLaMA %s, in millions",
    (size, perChannel, qv4, qkvo16, group128, all) => {
      const config = llama(size);
      const [d, f, layers] = LLAMA[size];
      const scales = countTrainable(config, { method: "peqa" });
      expect(scales).toBe(layers * (5 * d + 2 * f));
      expect(scales / 1e6).toBeCloseTo(perChannel, 2);
      expect(countTrainable(config, { method: "lora", rank: 4, targets: ["q_proj", "v_proj"] }) / 1e6).toBeCloseTo(
        qv4,
        2,
      );
      expect(countTrainable(config, { method: "lora", rank: 16, targets: ["attention.*"] }) / 1e6).toBeCloseTo(
        qkvo16,
        2,
      );
      expect(Math.abs(countTrainable(config, { method: "peqa", group: 128 }) / 1e6 - group128)).toBeLessThan(0.6);
      expect(countTrainable(config, { method: "full" }) / 1e9).toBeCloseTo(all, 3);
    },
  );

  it("counts what tune makes trainable", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "rtn", bits: 4, group: 8 });
    const real = (tuned: ReturnType<typeof tune>) => tuned.tuning!.count;
    const { config } = model;
    expect(real(tune(small.fork(), { method: "peqa" }))).toBe(countTrainable(config, { method: "peqa", group: 8 }));
    expect(real(tune(small.fork(), { method: "lora", rank: 3 }))).toBe(
      countTrainable(config, { method: "lora", rank: 3 }),
    );
    expect(real(tune(model.fork(), { method: "full" }))).toBe(countTrainable(config, { method: "full" }));
    expect(real(tune(model.fork(), { method: "norm" }))).toBe(countTrainable(config, { method: "norm" }));
    expect(real(tune(model.fork(), { method: "qat", group: 8 }))).toBe(
      countTrainable(config, { method: "qat", group: 8 }),
    );
  });
});
