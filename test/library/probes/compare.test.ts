import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  comparePca,
  createModel,
  InterruptedError,
  liveTensors,
  loadTokenizer,
  OptionError,
  quantize,
  scope,
  ShapeError,
  type LanguageModel,
} from "nibble-lab";
import { events, type LibraryEvents } from "nibble-lab/events";
import { referencePca } from "../../reference/pca.js";
import { largestDifference } from "../tiny-model.js";

const folder = new URL("../../../../shared/models/stories260K-hf/", import.meta.url).pathname;
const present = existsSync(folder);
if (!present) console.log(`skipped: comparePca, because the tokenizer in ${folder} is absent`);

const HIDDEN = 24;
const prompts = [
  "Once upon a time there was a little girl.",
  { text: "The dog and the cat ran to the park." },
  "It was a sunny day.",
];
const hook = "blocks.{i}.hook_resid_post";

describe.skipIf(!present)("comparePca", () => {
  let before = 0;
  let model: LanguageModel;
  let small: LanguageModel;
  const tokenizer = present ? loadTokenizer(folder) : null;
  beforeEach(async () => {
    before = liveTensors();
    const config = { vocabSize: 512, hiddenSize: HIDDEN, intermediateSize: 32, layers: 3, heads: 4 };
    model = createModel(config, { seed: 2, tokenizer: await tokenizer! });
    for (const [, tensor] of model.namedParameters())
      tensor.write(Float32Array.from(tensor.arraySync(), (value) => 3 * value));
    small = await quantize(model, { method: "rtn", bits: 2 });
  });
  afterEach(() => {
    model.dispose();
    small.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("fits one basis per layer on the first model and projects both on it", async () => {
    const comparison = await comparePca(model, small, { prompts, hook, components: 2 });
    const { meta } = comparison;
    const texts = prompts.map((prompt) => (typeof prompt === "string" ? prompt : prompt.text));
    for (const [layer, name] of meta.layers.entries()) {
      const [a, b] = [model, small].map((one) =>
        // All tokens but BOS.
        texts.flatMap((text) => scope(() => [...one.activations(text, [name]).get(name)!.arraySync().slice(HIDDEN)])),
      ) as [number[], number[]];
      const basis = referencePca(a, meta.points, HIDDEN, 2);
      for (const [side, x] of [a, b].entries()) {
        const expected = Array.from({ length: meta.points * 2 }, (_, i) =>
          basis.components[i % 2]!.reduce(
            (sum, entry, j) => sum + entry * (x[Math.floor(i / 2) * HIDDEN + j]! - basis.mean[j]!),
            0,
          ),
        );
        expect(largestDifference(comparison.at(layer, side as 0 | 1), expected)).toBeLessThan(1e-4);
      }
      meta.explained[layer]!.forEach((share, i) =>
        expect(share).toBeCloseTo(basis.variances[i]! / basis.totalVariance, 4),
      );
      expect(meta.displacement[layer]).toBeCloseTo(displaced(a, b, [...basis.mean]), 4);
    }
  });

  it("says what it looked at", async () => {
    const { meta, coordinates } = await comparePca(model, small, { prompts });
    expect(meta.models).toEqual(["full precision", "rtn, 2-bit round to nearest, a scale a row"]);
    expect(meta.layers).toEqual(["blocks.0.hook_resid_post", "blocks.1.hook_resid_post", "blocks.2.hook_resid_post"]);
    expect(meta.prompts).toEqual(prompts.map((prompt) => (typeof prompt === "string" ? prompt : prompt.text)));
    expect([meta.tokens.length, meta.promptOf.length]).toEqual([meta.points, meta.points]);
    expect(meta.sampled).toEqual({ from: meta.points, method: "all tokens but BOS", seed: 0 });
    expect(coordinates.length).toBe(3 * 2 * meta.points * 3);
    expect(meta.tokens.filter((_, i) => meta.promptOf[i] === 2).join("")).toContain("sunny");
  });

  it("samples points by its seed, the same ones in both models", async () => {
    using twin = model.fork();
    const few = (seed: number) => comparePca(model, twin, { prompts, maxPoints: 7, seed });
    const [one, again, other] = [await few(1), await few(1), await few(2)];
    expect(one.meta.points).toBe(7);
    expect(one.meta.sampled.from).toBeGreaterThan(7);
    expect(again.meta.tokens).toEqual(one.meta.tokens);
    expect([other.meta.tokens, other.meta.promptOf]).not.toEqual([one.meta.tokens, one.meta.promptOf]);
    // A model against itself: nothing moves.
    expect(one.displacement).toEqual([0, 0, 0]);
    expect(one.at(1, 0)).toEqual(one.at(1, 1));
    expect(one.meta.models[0]).not.toBe(one.meta.models[1]);
  });

  it("tells its event, and shows itself in under a megabyte", async () => {
    const heard: LibraryEvents["pca.comparison"][] = [];
    const off = events.on("pca.comparison", (event) => heard.push(event));
    const many = Array.from(
      { length: 150 },
      (_, i) => `There were ${i} birds and ${i * 7} trees in the big old garden.`,
    );
    const comparison = await comparePca(model, small, { prompts: many, components: 2, maxPoints: 100_000 });
    off();
    expect(heard).toHaveLength(1);
    expect(heard[0]!.comparison).toBe(comparison.meta);
    expect(heard[0]!.coordinates).toBe(comparison.coordinates);
    const bundle = (comparison as unknown as Record<symbol, () => Record<string, unknown>>)[
      Symbol.for("Jupyter.display")
    ]!();
    expect(Object.keys(bundle).sort()).toEqual(["application/vnd.plotly.v1+json", "text/html", "text/plain"]);
    expect(Buffer.byteLength(JSON.stringify(bundle))).toBeLessThan(1 << 20);
    const figure = bundle["application/vnd.plotly.v1+json"] as {
      data: { visible: boolean }[];
      layout: { sliders: { steps: unknown[] }[] };
    };
    expect(figure.data.map(({ visible }) => visible)).toEqual([false, false, true, true, false, false]);
    expect(figure.layout.sliders[0]!.steps).toHaveLength(3);
    expect(bundle["text/html"]).toContain("<svg");
  });

  it("refuses models that do not compare, unknown hooks and empty prompts", async () => {
    using wider = createModel({ vocabSize: 512, hiddenSize: 32, intermediateSize: 32, layers: 3, heads: 4 });
    await expect(comparePca(model, wider, { prompts })).rejects.toThrow(ShapeError);
    await expect(comparePca(model, wider, { prompts })).rejects.toThrow(
      'hiddenSize is 24 in "new model" and 32 in "new model".',
    );
    await expect(comparePca(model, small, { prompts, hook: "blocks.{i}.hook_resid_pots" })).rejects.toThrow(
      OptionError,
    );
    await expect(comparePca(model, small, { prompts: [] })).rejects.toThrow("The prompts have no tokens.");
    await expect(comparePca(model, small, { prompts: "text" } as never)).rejects.toThrow("an array of texts");
    await expect(comparePca(model, small, { prompts, signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
  });
});

function displaced(a: number[], b: number[], mean: number[]): number {
  const rows = a.length / mean.length;
  const norm = (row: number, other: (i: number) => number) =>
    Math.hypot(...mean.map((_, j) => a[row * mean.length + j]! - other(j)));
  const indices = Array.from({ length: rows }, (_, row) => row);
  const moved = indices.reduce((sum, row) => sum + norm(row, (j) => b[row * mean.length + j]!), 0);
  return moved / indices.reduce((sum, row) => sum + norm(row, (j) => mean[j]!), 0);
}
