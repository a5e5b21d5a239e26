import { describe, expect, it } from "vitest";
import { cloq, gptqLora, loftq, OptionError, scope, type LanguageModel, type LoraAdapter } from "nibble-lab";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const calibration = tinyTokens(256);
const settings = { rank: 2, group: 8, bits: 3, calibration } as const;

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
const rankOf = (model: LanguageModel) => ([...model.linears()][0]![1].adapter as LoraAdapter).rank;

describe("presets", () => {
  it("are quantize, tune and initialize with the papers' settings, and leave the model as it was", async () => {
    using model = tinyModel();
    const before = logits(model);
    using gptq = await gptqLora(model, settings);
    expect([gptq.quantization!.method, gptq.tuning!.method, gptq.initialization, rankOf(gptq)]).toEqual([
      "gptq",
      "lora",
      null,
      2,
    ]);
    using closed = await cloq(model, settings);
    expect([closed.quantization!.method, closed.initialization!.method, rankOf(closed)]).toEqual(["gptq", "cloq", 2]);
    expect(closed.label).toContain("3-bit GPTQ");
    using fitted = await loftq(model, { rank: 2, iterations: 1 });
    expect([fitted.quantization!.method, fitted.initialization!.method]).toEqual(["nf4", "loftq"]);
    expect(logits(model)).toEqual(before);
  });

  it("ask for calibration where they need it", async () => {
    using model = tinyModel();
    await expect(cloq(model, { rank: 2 } as never)).rejects.toThrow(OptionError);
    await expect(gptqLora(model, {} as never)).rejects.toThrow("No calibration came.");
  });
});
