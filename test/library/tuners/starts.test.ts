import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  data,
  initialize,
  loadModel,
  quantize,
  tune,
  type InitializeOptions,
  type LanguageModel,
  type QuantizeOptions,
} from "nibble-lab";
import { outputErrors } from "../../experiments/output-error.js";

const [RANK, LENGTH] = [8, 128];
const below = { method: "rtn", bits: 2, group: 32 } as const;

/** Where adapters start on a trained model at 2 bits: how far each layer's outputs are from the original's, with the same inputs for all. */
describe("starts on pocket at 2 bits", () => {
  let model: LanguageModel;
  let calibration: Int32Array;
  let heldOut: Int32Array;
  const measured = new Map<string, number[]>();
  const mean = (name: string) => measured.get(name)!.reduce((a, b) => a + b, 0) / measured.get(name)!.length;

  beforeAll(async () => {
    model = await loadModel("pocket");
    const ids = (seed: number) => {
      const { text } = data.pocket.text("train", { documents: 150, seed });
      return Int32Array.from(model.tokenizer.encode(text)).subarray(0, 32 * LENGTH);
    };
    [calibration, heldOut] = [ids(7), ids(8)];
    const original = model;
    const starts: Record<string, [QuantizeOptions, InitializeOptions]> = {
      zero: [below, { method: "gaussian" }],
      svd: [below, { method: "svd", original }],
      loftq: [below, { method: "loftq", original }],
      cloq: [below, { method: "cloq", original, calibration }],
      "gptq, zero": [{ ...below, method: "gptq", calibration }, { method: "gaussian" }],
      "gptq, cloq": [
        { ...below, method: "gptq", calibration },
        { method: "cloq", original, calibration },
      ],
    };
    for (const [name, [quantizer, start]] of Object.entries(starts)) {
      using small = await quantize(model, quantizer);
      using tuned = await initialize(tune(small.fork(), { method: "lora", rank: RANK }), start);
      measured.set(name, [...outputErrors(model, tuned, heldOut, LENGTH).values()]);
    }
  });
  afterAll(() => model.dispose());

  it("are ordered as the papers say: nothing > LoftQ > CLoQ on the same codes > CLoQ on GPTQ's", () => {
    expect(mean("zero")).toBeGreaterThan(mean("loftq"));
    expect(mean("loftq")).toBeGreaterThan(mean("cloq"));
    expect(mean("cloq")).toBeGreaterThan(mean("gptq, cloq"));
    expect(mean("gptq, zero")).toBeGreaterThan(mean("gptq, cloq"));
  });

  it("CLoQ ≤ SVD ≤ nothing on the same codes, in every layer", () => {
    for (let layer = 0; layer < measured.get("zero")!.length; layer++) {
      const at = (name: string) => measured.get(name)![layer]!;
      expect(at("svd"), `layer ${layer}`).toBeLessThan(at("zero"));
      expect(at("cloq"), `layer ${layer}`).toBeLessThan(at("svd"));
    }
  });
});
