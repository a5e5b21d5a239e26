import { devices, loadModel } from "nibble-lab";
import { describe, expect, it } from "vitest";

const gpu = devices().find((device) => device.kind === "gpu")?.name;

describe.skipIf(gpu === undefined)("a model on a GPU (skipped where there is none)", () => {
  it("gives the logits and the greedy text that the processor gives", async () => {
    using near = await loadModel("pocket");
    using far = await loadModel("pocket", { device: gpu! });
    const ids = near.tokenizer.encode("The old lighthouse keeper");
    const [expected, got] = [near.run(ids), far.run(ids)].map((logits) => {
      const numbers = logits.arraySync() as Float32Array;
      logits.dispose();
      return numbers;
    });
    const size = expected!.reduce((size, value) => Math.max(size, Math.abs(value)), 0);
    const error = expected!.reduce((most, value, i) => Math.max(most, Math.abs(value - got![i]!)), 0);
    expect(error / size).toBeLessThan(1e-4);
    const options = { maxTokens: 12 };
    expect((await far.generate(ids, options)).tokens).toEqual((await near.generate(ids, options)).tokens);
  });
});
