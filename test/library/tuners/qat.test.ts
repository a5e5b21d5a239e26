import { describe, expect, it } from "vitest";
import {
  backward,
  DenseWeight,
  quantize,
  scope,
  train,
  tune,
  UnsupportedError,
  type FakeQuantizedWeight,
  type LanguageModel,
} from "nibble-lab";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const settings = { data: tinyTokens(400), steps: 5, batchSize: 2, length: 16, learningRate: 1e-3 };

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
const weightsOf = (model: LanguageModel) => [...model.linears()].map(([, { weight }]) => weight as FakeQuantizedWeight);
const batch = () => ({ tokens: tinyTokens(24), targets: tinyTokens(25).slice(1), batch: 2 });

describe("qat", () => {
  it("starts on round-to-nearest's grid", async () => {
    using model = tinyModel();
    using rounded = await quantize(model, { method: "rtn", bits: 3, group: 8 });
    using tuned = tune(model.fork(), { method: "qat", bits: 3, group: 8 });
    const decoded = (of: LanguageModel) =>
      [...of.linears()].map(([, { weight }]) => scope(() => [...weight.dequantize().arraySync()]));
    expect(decoded(tuned)).toEqual(decoded(rounded));
  });

  it("gives every weight the dense model's gradient, stopped where the grid ends, through the whole model", () => {
    using model = tinyModel();
    using tuned = tune(model.fork(), { method: "qat", bits: 2 });
    // A narrower grid, so that weights lie outside.
    for (const { scales } of weightsOf(tuned)) scales.write(Float32Array.from(scales.arraySync(), (s) => 0.6 * s));
    using dense = tuned.fork();
    for (const [, linear] of dense.linears()) linear.replaceWeight(denseOf(linear.weight as FakeQuantizedWeight));
    tune(dense, { method: "full" });
    scope(() => backward(tuned.loss(batch())));
    scope(() => backward(dense.loss(batch())));
    const gradients = new Map(
      [...dense.linears()].map(([name, { weight }]) => [name, [...weight.namedTensors()][0]![1].grad!]),
    );
    let stopped = 0;
    for (const [name, { weight }] of tuned.linears()) {
      const { tensor, scales, zeroPoints, columns } = weight as FakeQuantizedWeight;
      const [w, s, z] = [tensor, scales, zeroPoints].map((one) => one.arraySync());
      const expected = gradients.get(name)!.arraySync();
      const got = tensor.grad!.arraySync();
      const slope = new Float64Array(s!.length);
      for (let i = 0; i < w!.length; i++) {
        const row = Math.floor(i / columns);
        const x = Math.fround(w![i]! / s![row]!);
        const free = Math.round(x) + z![row]!;
        const inside = free >= 0 && free <= 3;
        if (!inside) stopped++;
        expect(got[i]! - (inside ? expected[i]! : 0), `${name}[${i}]`).toBeCloseTo(0, 5);
        slope[row]! += expected[i]! * (inside ? Math.round(x) - x : Math.min(Math.max(free, 0), 3) - z![row]!);
      }
      scales.grad!.arraySync().forEach((value: number, row: number) => expect(value).toBeCloseTo(slope[row]!, 3));
    }
    expect(stopped).toBeGreaterThan(50);
  });

  it.each([{ bits: 2 }, { bits: 4, group: 8, symmetric: true }, { bits: 3, zeroPoints: true }] as const)(
    "packs into codes that compute what was trained: %o",
    async (options) => {
      using model = tinyModel();
      using tuned = tune(model.fork(), { method: "qat", ...options });
      const before = logits(tuned);
      await train(tuned, settings);
      expect(logits(tuned)).not.toEqual(before);
      for (const weight of weightsOf(tuned)) {
        scope(() => expect(weight.packed().dequantize().arraySync()).toEqual(weight.dequantize().arraySync()));
      }
    },
  );

  it("keeps scales above 0, however large the steps", async () => {
    using model = tinyModel();
    using tuned = tune(model.fork(), { method: "qat", bits: 2 });
    await train(tuned, { ...settings, learningRate: 3 });
    expect(Math.min(...weightsOf(tuned).flatMap(({ scales }) => [...scales.arraySync()]))).toBeGreaterThan(0);
  });

  it("refuses quantized layers and groups that do not divide", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "rtn" });
    expect(() => tune(small, { method: "qat" })).toThrow(UnsupportedError);
    expect(() => tune(model, { method: "qat", group: 9 })).toThrow("group is 9, but the rows of");
    expect(model.tuning).toBeNull();
  });
});

/** The rounded numbers as a dense weight. */
function denseOf(weight: FakeQuantizedWeight): DenseWeight {
  return new DenseWeight(weight.dequantize());
}
