import { describe, expect, it } from "vitest";
import { InterruptedError, liveTensors, loadModel, noGrad, OptionError, quantize, scope } from "nibble-lab";
import { argmax, sample } from "../../../kernel/library/lib/models/generate.js";
import { withInt8Activations } from "../../../kernel/library/lib/tensor/scope.js";
import { tinyConfig, tinyModel } from "../tiny-model.js";

const prompt = [3, 1, 4, 1, 5];

describe("generate", () => {
  it("continues greedily as if it recomputed everything for each token", async () => {
    const before = liveTensors();
    using model = tinyModel();
    const { tokens, finish, sampling } = await model.generate(prompt, { maxTokens: 12 });
    const ids = [...prompt];
    for (let count = 0; count < 12; count++) {
      const logits = scope(() => model.run(ids).arraySync());
      ids.push(argmax(logits.slice(-tinyConfig.vocabSize)));
    }
    expect(tokens).toEqual(ids.slice(prompt.length));
    expect([finish, sampling]).toEqual(["length", "greedy"]);
    model.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("gives the same text for the same seed, and names the seed that it drew", async () => {
    using model = tinyModel();
    const draw = async (seed?: number) =>
      model.generate(prompt, { maxTokens: 10, temperature: 5, ...(seed !== undefined && { seed }) });
    const [a, b, c] = [await draw(1), await draw(1), await draw(2)];
    expect(a.tokens).toEqual(b.tokens);
    expect(a.tokens).not.toEqual(c.tokens);
    const drawn = await draw();
    expect(drawn.sampling).toMatch(/^temperature 5, seed \d+$/);
    expect((await draw(Number(drawn.sampling.split(" ").at(-1)))).tokens).toEqual(drawn.tokens);
  });

  it("ends where the model's positions end, and at the end-of-sequence token", async () => {
    using model = tinyModel();
    const long = await model.generate(prompt, { maxTokens: 1000 });
    expect([long.finish, long.tokens.length]).toEqual(["context", tinyConfig.maxPositions - prompt.length]);
    using ending = tinyModel({ eosTokens: [long.tokens[0]!] });
    const short = await ending.generate(prompt);
    expect([short.finish, short.tokens]).toEqual(["end", []]);
  });

  it("stops when its signal is aborted", async () => {
    const before = liveTensors();
    using model = tinyModel();
    const stop = new AbortController();
    const running = model.generate(prompt, { maxTokens: 20, signal: stop.signal });
    setImmediate(() => stop.abort());
    await expect(running).rejects.toThrow(InterruptedError);
    model.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("rounds the activations of new tokens to eight bits when asked, near what floats give", async () => {
    const before = liveTensors();
    using model = await loadModel("pocket");
    using quantized = await quantize(model, { method: "rtn", bits: 4, group: 32 });
    const question = "Question: Where does Netan live?\nAnswer:";
    const exact = await quantized.generate(question, { maxTokens: 6 });
    const rounded = await quantized.generate(question, { maxTokens: 6, activations: "int8" });
    expect([rounded.text, rounded.sampling]).toEqual([exact.text, "greedy, int8 activations"]);
    const ids = quantized.tokenizer.encode(question);
    const [floats, integers] = [noGrad, withInt8Activations].map((within) =>
      scope(() => within(() => quantized.run(ids)).arraySync()),
    ) as [Float32Array, Float32Array];
    const largest = floats.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0);
    const difference = floats.reduce((most, logit, i) => Math.max(most, Math.abs(logit - integers[i]!)), 0);
    expect(difference / largest).toBeGreaterThan(0);
    expect(difference / largest).toBeLessThan(0.03);
    quantized.dispose();
    model.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("refuses to round activations where no weight is packed, or groups are too short", async () => {
    using model = tinyModel();
    await expect(model.generate(prompt, { activations: "int8" })).rejects.toThrow(
      /activations is "int8", but ".*" has no packed weights\. Allowed: a quantized model\. Quantize it, or leave activations out\./,
    );
    using short = await quantize(model, { method: "rtn", bits: 4, group: 8 });
    await expect(short.generate(prompt, { activations: "int8" })).rejects.toThrow(
      "with a scale for 8 are not made of blocks of 32",
    );
    await expect(model.generate(prompt, { activations: "int4" as never })).rejects.toThrow('"float", "int8"');
  });

  it("refuses misspelt options and impossible prompts", async () => {
    using model = tinyModel();
    await expect(model.generate(prompt, { maxToken: 3 } as never)).rejects.toThrow('Did you mean "maxTokens"?');
    await expect(model.generate(prompt, { topP: 2 })).rejects.toThrow(
      "topP is 2. Allowed: a number from 0.000001 to 1.",
    );
    await expect(model.generate([])).rejects.toThrow("[generate] There are no tokens");
    await expect(model.generate(null as never)).rejects.toThrow(OptionError);
    await expect(model.generate(Array.from({ length: 32 }, () => 1))).rejects.toThrow("fewer than 32");
  });
});

describe("sample", () => {
  const logits = [1, 3, 2, -1].map(Math.log1p).map((x) => (Number.isNaN(x) || x === -Infinity ? -50 : x)); // ∝ 2, 4, 3, ~0

  it("gives each token its share of the unit interval, in either order", () => {
    const count = 900;
    for (const topP of [1, 1 - 1e-9]) {
      const drawn = Array.from({ length: count }, (_, i) => sample(logits, 1, Infinity, topP, (i + 0.5) / count));
      expect([0, 1, 2, 3].map((token) => drawn.filter((one) => one === token).length)).toEqual([200, 400, 300, 0]);
    }
  });

  it("keeps the k likeliest, or the fewest that reach p", () => {
    expect(sample(logits, 1, 1, 1, 0.999)).toBe(1);
    expect(sample(logits, 1, 2, 1, 0.999)).toBe(2);
    expect(sample(logits, 1, Infinity, 0.4, 0.999)).toBe(1);
    expect(sample(logits, 1, Infinity, 0.5, 0.999)).toBe(2);
  });

  it("sharpens towards the likeliest as the temperature falls", () => {
    expect(sample(logits, 0.01, Infinity, 1, 0.999)).toBe(1);
  });
});
