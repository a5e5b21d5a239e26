import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { liveTensors, loadModel, perplexity, scope } from "nibble-lab";
import { largestDifference } from "../tiny-model.js";

const folder = new URL("../../../../shared/models/stories260K-hf/", import.meta.url).pathname;
interface Golden {
  readonly cases: readonly { text: string; ids: number[]; nll: number[]; last_logits: number[] }[];
  readonly greedy: { greedy_from?: string };
}

const present = existsSync(folder);
if (!present) console.log(`skipped: stories260K, because ${folder} is absent`);

describe.skipIf(!present)("stories260K", () => {
  const golden = present
    ? (JSON.parse(readFileSync(`${folder}golden.json`, "utf8")) as Golden & Record<string, unknown>)
    : { cases: [] };
  const cases = golden.cases.filter((one) => "last_logits" in one);
  const greedy = golden.cases.find((one) => "greedy_from" in one) as unknown as {
    greedy_from: string;
    ids: number[];
    text: string;
  };

  it("has logits and losses within 1e-5 of transformers in float64, and the same ids", async () => {
    const before = liveTensors();
    const model = await loadModel(folder);
    for (const { text, ids, nll, last_logits } of cases) {
      expect(model.tokenizer.encode(text)).toEqual(ids);
      const logits = scope(() => model.run(text).arraySync());
      expect(largestDifference(logits.slice(-model.config.vocabSize), last_logits)).toBeLessThan(1e-5);
      const measured = await perplexity(model, text, { window: ids.length });
      const mean = nll.reduce((a, b) => a + b, 0) / nll.length;
      expect(measured.tokens).toBe(nll.length);
      expect(Math.abs(measured.nll / measured.tokens - mean)).toBeLessThan(1e-5);
    }
    model.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("continues greedily token for token", async () => {
    using model = await loadModel(folder);
    const start = model.tokenizer.encode(greedy.greedy_from);
    const { tokens, text } = await model.generate(greedy.greedy_from, { maxTokens: greedy.ids.length - start.length });
    expect([...start, ...tokens]).toEqual(greedy.ids);
    expect(greedy.greedy_from + text).toBe(greedy.text);
  });

  it("decodes what it encoded", async () => {
    using model = await loadModel(folder);
    for (const { text } of cases) expect(model.tokenizer.decode(model.tokenizer.encode(text))).toBe(text);
    expect(model.tokenizer.encode("a", { bos: false })).toEqual(model.tokenizer.encode("a").slice(1));
  });
});
