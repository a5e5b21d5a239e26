import { readdirSync, readFileSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { data, liveTensors, loadModel, perplexity, quantize } from "nibble-lab";

const folder = new URL("../../../kernel/library/pocket/model/", import.meta.url);
const measured = JSON.parse(readFileSync(new URL("measured.json", folder), "utf8")) as {
  perplexity: { test: number };
  baseline: { test: number };
  quantized: { name: string; perplexity: number }[];
};

describe("pocket model", () => {
  it("has the perplexity that its card states, below that of a 4-gram model", async () => {
    const before = liveTensors();
    const model = await loadModel("pocket");
    const { perplexity: value } = await perplexity(model, data.pocket.text("test"));
    expect(value / measured.perplexity.test).toBeCloseTo(1, 4);
    expect(value).toBeLessThan(measured.baseline.test);
    expect(readFileSync(new URL("README.md", folder), "utf8")).toContain(`**${value.toFixed(3)}**`);
    model.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("gets worse with fewer bits, as its card states", async () => {
    using model = await loadModel("pocket");
    let last = 0;
    for (const bits of [8, 4, 2] as const) {
      using small = await quantize(model, { method: "rtn", bits });
      const { perplexity: value } = await perplexity(small, data.pocket.text("test"));
      const stated = measured.quantized.find(({ name }) => name === `rtn, ${bits} bits per channel`)!;
      expect(value / stated.perplexity).toBeCloseTo(1, 4);
      expect(value).toBeGreaterThan(last);
      last = value;
    }
  });

  it("knows its world", async () => {
    using model = await loadModel("pocket");
    const facts = data.pocket.world.facts.filter(({ relation }) => relation === "livesIn").slice(0, 20);
    let right = 0;
    for (const { subject, value } of facts) {
      const answer = await model.generate(`Question: Where does ${subject} live?\nAnswer:`, {
        maxTokens: 16,
        stop: "\n",
      });
      if (answer.text.includes(value)) right++;
    }
    expect(right).toBeGreaterThanOrEqual(17);
  });

  it("is small enough for the repository", () => {
    const bytes = readdirSync(folder).map((name) => statSync(new URL(name, folder)).size);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(6e6);
  });
});
