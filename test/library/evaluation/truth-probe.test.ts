import { describe, expect, it } from "vitest";
import { createModel, data, liveTensors, loadModel, loadTokenizer, OptionError, truthProbe } from "nibble-lab";

describe("the probe of truth", () => {
  it("gives the same share twice, with an interval around it, and frees what it used", async () => {
    using model = await loadModel("pocket");
    const before = liveTensors();
    const options = { pocket: data.pocket2, prompts: "verdict", items: 60 } as const;
    const probe = await truthProbe(model, options);
    expect(await truthProbe(model, options)).toEqual(probe);
    expect(probe).toMatchObject({ layer: 2, items: 60, prompts: "verdict" });
    expect(probe.low).toBeLessThan(probe.value);
    expect(probe.value).toBeLessThan(probe.high);
    expect(liveTensors()).toBe(before);
    await expect(truthProbe(model, { layer: 5 })).rejects.toThrow(OptionError);
  });

  it("finds no truth in a model that has learned nothing", async () => {
    const tokenizer = await loadTokenizer("pocket");
    const shape = { vocabSize: 2048, hiddenSize: 32, intermediateSize: 64, layers: 2, heads: 2, maxPositions: 256 };
    using model = createModel(shape, { seed: 2, tokenizer });
    const { low, high } = await truthProbe(model, { items: 150 });
    expect(low).toBeLessThan(0.5);
    expect(high).toBeGreaterThan(0.5);
  });
});
