import { describe, expect, it } from "vitest";
import { InterruptedError, liveTensors, OptionError, scope } from "nibble-lab";
import { argmax, sample } from "../../../kernel/library/lib/models/generate.js";
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
