import { describe, expect, it } from "vitest";
import { OptionError, quantize, tune } from "nibble-lab";
import { tinyModel } from "../tiny-model.js";
import { gradientPairs } from "./gradients.js";

describe("norm", () => {
  it.each(["f32", "rtn", "nf4"] as const)(
    "trains the norms alone, with the gradients of central differences, over %s",
    async (base) => {
      using model = tinyModel();
      using small = base === "f32" ? model.fork() : await quantize(model, { method: base });
      tune(small, { method: "norm" });
      expect([...small.trainableParameters().keys()]).toEqual([
        ...[0, 1].flatMap((block) => ["attentionNorm", "mlpNorm"].map((norm) => `blocks.${block}.${norm}.weight`)),
        "finalNorm.weight",
      ]);
      for (const { name, tape, difference } of gradientPairs(small, 5e-3)) {
        expect(Math.abs(tape / difference - 1), `${name}: ${tape} against ${difference}`).toBeLessThan(0.01);
      }
    },
  );

  it("takes no targets", () => {
    using model = tinyModel();
    expect(() => tune(model, { method: "norm", targets: ["q_proj"] })).toThrow(OptionError);
    expect(() => tune(model, { method: "norm", targets: ["q_proj"] })).toThrow("norm takes no targets");
  });
});
