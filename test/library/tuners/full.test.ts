import { describe, expect, it } from "vitest";
import { OptionError, quantize, tune, UnsupportedError } from "nibble-lab";
import { tinyModel } from "../tiny-model.js";
import { gradientPairs } from "./gradients.js";

describe("full", () => {
  it("trains every weight, with the gradients of central differences", () => {
    using model = tinyModel();
    tune(model, { method: "full" });
    expect([...model.trainableParameters().keys()]).toEqual([...model.namedTensors()].map(([name]) => name));
    for (const { name, tape, difference } of gradientPairs(model, 5e-3)) {
      expect(Math.abs(tape / difference - 1), `${name}: ${tape} against ${difference}`).toBeLessThan(0.01);
    }
  });

  it("leaves a model that shares its weights as it was", () => {
    using model = tinyModel();
    using twin = model.fork();
    tune(model, { method: "full" });
    for (const [, tensor] of model.namedTensors()) tensor.write(new Float32Array(tensor.size));
    expect([...twin.namedTensors()].every(([, tensor]) => tensor.arraySync().some((value) => value !== 0))).toBe(true);
  });

  it("refuses quantized layers and targets", async () => {
    using model = tinyModel();
    using small = await quantize(model, { method: "rtn" });
    expect(() => tune(small, { method: "full" })).toThrow(UnsupportedError);
    expect(() => tune(model, { method: "full", targets: ["q_proj"] })).toThrow(OptionError);
  });
});
