import { describe, expect, it } from "vitest";
import { createModel, OptionError, train, tune, type CreateOptions, type LanguageModel } from "nibble-lab";
import { tinyConfig, tinyTokens } from "../tiny-model.js";

const rowsOfHead = (model: LanguageModel, name: string, head: number): number[] => {
  const { headDim, hiddenSize } = model.config;
  const tensor = new Map(model.namedTensors()).get(name)!.arraySync();
  return [...tensor.slice(head * headDim * hiddenSize, (head + 1) * headDim * hiddenSize)];
};
const deviation = (model: LanguageModel, name: string): number => {
  const values = [...new Map(model.namedTensors()).get(name)!.arraySync()];
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
};
/** Four query heads, two key heads: the second key head serves query heads 2 and 3. */
const create = (options: CreateOptions) => createModel(tinyConfig, { seed: 4, ...options });

describe("a tied start", () => {
  it("copies the query head that a key head serves first, and only in the heads that were asked for", () => {
    using plain = create({});
    using one = create({ tiedKeyHeads: 1 });
    using both = create({ tiedKeyHeads: 2 });
    for (const block of ["blocks.0", "blocks.1"]) {
      const [q, k] = [`${block}.attention.q_proj.weight`, `${block}.attention.k_proj.weight`];
      expect(rowsOfHead(one, k, 0)).toEqual(rowsOfHead(one, q, 0));
      expect(rowsOfHead(one, k, 1)).toEqual(rowsOfHead(plain, k, 1));
      expect(rowsOfHead(both, k, 1)).toEqual(rowsOfHead(both, q, 2));
      expect(rowsOfHead(both, q, 2)).toEqual(rowsOfHead(plain, q, 2));
    }
  });

  it("is no tie: one step of training moves the two apart", async () => {
    using model = tune(create({ tiedKeyHeads: 2 }), { method: "full" });
    await train(model, { data: tinyTokens(300), steps: 1, batchSize: 2, length: 16, learningRate: 1e-2 });
    const [q, k] = ["q_proj", "k_proj"].map((name) => rowsOfHead(model, `blocks.0.attention.${name}.weight`, 0));
    expect(k).not.toEqual(q);
  });

  it("has at most as many heads as there are", () => {
    expect(() => create({ tiedKeyHeads: 3 })).toThrow(OptionError);
    expect(() => create({ tiedKeyHeads: 3 })).toThrow("tiedKeyHeads is 3. Allowed: up to 2, the key heads.");
  });
});

describe("the standard deviation of the linears", () => {
  it("is one over the root of the columns with fanIn, less for those that write into the residual stream", () => {
    using model = createModel(
      { ...tinyConfig, hiddenSize: 64, intermediateSize: 144 },
      { seed: 4, linearStd: "fanIn" },
    );
    expect(deviation(model, "blocks.0.attention.q_proj.weight") * 8).toBeCloseTo(1, 1);
    expect(deviation(model, "blocks.0.mlp.down_proj.weight") * 12 * 2).toBeCloseTo(1, 1);
    expect(deviation(model, "embed.weight") / 0.02).toBeCloseTo(1, 1);
  });

  it("leaves a model without the option as it was", () => {
    using plain = create({});
    using same = create({ linearStd: 0.02, tiedKeyHeads: 0 });
    for (const [name, tensor] of plain.namedTensors())
      expect([...new Map(same.namedTensors()).get(name)!.arraySync()]).toEqual([...tensor.arraySync()]);
    expect(() => create({ linearStd: 0 })).toThrow(OptionError);
  });
});
