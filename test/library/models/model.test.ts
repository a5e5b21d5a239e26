import { describe, expect, it } from "vitest";
import {
  backward,
  DisposedError,
  hookNames,
  liveTensors,
  noGrad,
  OptionError,
  scale,
  scope,
  ShapeError,
  Tensor,
  type Batch,
  type LanguageModel,
} from "nibble-lab";
import { largestDifference, tinyConfig, tinyModel, tinyTokens } from "../tiny-model.js";

const batch: Batch = {
  tokens: tinyTokens(12),
  targets: Int32Array.from(tinyTokens(12), (id, i) => (i % 5 === 4 ? -100 : (id + 7) % 23)),
  batch: 2,
};

function lossOf(model: LanguageModel): number {
  return noGrad(() => scope(() => model.loss(batch).item()));
}

describe("a whole model", () => {
  it.each([
    ["tied embeddings", {}],
    ["its own output layer and biases", { tieEmbeddings: false, attentionBias: true, mlpBias: true }],
  ])("has the gradients that central differences give, with %s", (_, changes) => {
    const before = liveTensors();
    using model = tinyModel(changes);
    for (const [, tensor] of model.namedParameters()) tensor.requiresGrad = true;
    scope(() => backward(model.loss(batch)));
    for (const [name, tensor] of model.trainableParameters()) {
      const gradient = tensor.grad!.arraySync();
      const start = Float32Array.from(tensor.arraySync() as Float32Array);
      // Along the gradient itself the loss changes by its squared norm.
      const norm = Math.hypot(...gradient);
      const at = (step: number) => {
        tensor.write(start.map((value, i) => value + (step * gradient[i]!) / norm));
        return lossOf(model);
      };
      const step = 2e-2;
      // Fourth order, so that a step large against float32's noise is still exact.
      const slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      tensor.write(start);
      expect(norm, name).toBeGreaterThan(0);
      expect(Math.abs(slope - norm) / norm, `${name}: slope ${slope}, gradient ${norm}`).toBeLessThan(2e-3);
    }
    model.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("computes no gradient for frozen weights, and the same one for the others", () => {
    using model = tinyModel();
    const chosen = "blocks.0.attention.q_proj.weight";
    const gradient = (names: readonly string[]) => {
      for (const [name, tensor] of model.namedParameters()) tensor.requiresGrad = names.includes(name);
      for (const [, tensor] of model.namedParameters()) tensor.clearGrad();
      scope(() => backward(model.loss(batch)));
      const all = [...model.namedParameters()];
      expect(
        all
          .filter(([, tensor]) => tensor.grad !== null)
          .map(([name]) => name)
          .sort(),
      ).toEqual([...names].sort());
      return Float32Array.from(all.find(([name]) => name === chosen)![1].grad!.arraySync() as Float32Array);
    };
    const alone = gradient([chosen]);
    expect(largestDifference(alone, gradient([...model.namedParameters()].map(([name]) => name)))).toBeLessThan(1e-6);
  });

  it("leaves nothing behind after a step, a run and a generation", async () => {
    using model = tinyModel();
    for (const [, tensor] of model.namedParameters()) tensor.requiresGrad = true;
    const before = liveTensors();
    scope(() => backward(model.loss(batch)));
    for (const [, tensor] of model.namedParameters()) tensor.clearGrad();
    scope(() => void model.loss(batch));
    scope(() => void model.run([1, 2, 3]));
    await model.generate([1, 2, 3], { maxTokens: 3 });
    expect(liveTensors()).toBe(before);
  });

  it("shows its size and how its layers are stored", () => {
    using model = tinyModel();
    const count = 23 * 16 + 2 * (16 * 16 * 2 + 8 * 16 * 2 + 3 * 16 * 24 + 2 * 16) + 16;
    expect(model.toString()).toContain("tiny · full precision");
    expect(model.toString()).toContain(`${count} parameters`);
    expect(model.toString()).toMatch(/mlp\.up_proj +2 +f32 +3\.00 KiB/);
  });

  it("says what is wrong with its input", () => {
    using model = tinyModel();
    expect(() => model.run([])).toThrow("[run] There are no tokens");
    expect(() => model.run([1, 99])).toThrow('[run] A token id is 99. Allowed: 0 to 22, the vocabulary of "tiny".');
    expect(() => model.run([[1, 2], [3]])).toThrow(ShapeError);
    expect(() => model.run(Array.from({ length: 33 }, () => 1))).toThrow("Allowed: up to 32");
    expect(() => model.run("text")).toThrow("has no tokenizer");
    expect(() => model.run([1.5])).toThrow("A token id is 1.5. Allowed: whole numbers.");
    expect(() => model.run(null as never)).toThrow("[run] The input is null. Allowed: a text");
    expect(() => model.loss({ ...batch, batch: 5 })).toThrow(ShapeError);
    model.dispose();
    expect(() => model.run([1])).toThrow(DisposedError);
  });
});

describe("fork", () => {
  it("shares bytes, and outlives the model that it came from", () => {
    const before = liveTensors();
    const model = tinyModel();
    const alone = liveTensors();
    const logits = scope(() => model.run([1, 2, 3]).arraySync());
    const copy = model.fork({ label: "copy" });
    expect(liveTensors()).toBe(alone);
    model.dispose();
    expect(scope(() => copy.run([1, 2, 3]).arraySync())).toEqual(logits);
    copy.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("keeps tied tensors tied and never lets training reach the other model", () => {
    using model = tinyModel();
    using copy = model.fork();
    const name = "embed.weight";
    const own = new Map(copy.namedParameters()).get(name)!;
    own.requiresGrad = true;
    own.write(new Float32Array(own.size));
    expect(Math.max(...new Map(model.namedParameters()).get(name)!.arraySync())).toBeGreaterThan(0);
    // All logits are zero when the one table behind input and output is.
    expect(scope(() => copy.run([1, 2]).arraySync()).every((value) => value === 0)).toBe(true);
  });
});

describe("hooks", () => {
  const ids = [4, 8, 15, 16];

  it("see every point in order, without changing a bit of the logits", () => {
    using model = tinyModel();
    scope(() => {
      const plain = model.run(ids).arraySync();
      const seen: string[] = [];
      const hooks = Object.fromEntries(
        hookNames(tinyConfig.layers).map((name) => [
          name,
          (x: Tensor, at: string) => void seen.push(`${at} ${x.shape.join()}`),
        ]),
      );
      expect(model.run(ids, { hooks }).arraySync()).toEqual(plain);
      expect(seen).toEqual(hookNames(tinyConfig.layers).map((name) => `${name} 1,4,16`));
    });
  });

  it("replace what the model goes on with", () => {
    using model = tinyModel();
    scope(() => {
      const { cache } = model.runWithCache(ids, ["blocks.1.hook_resid_post"]);
      const stored = cache.get("blocks.1.hook_resid_post")!;
      const plain = model.run(ids).arraySync();
      // Whatever came before, the stored activation gives the plain logits.
      const wiped = { "blocks.0.hook_resid_pre": (x: Tensor) => scale(x, 0) };
      expect(largestDifference(model.run(ids, { hooks: wiped }), plain)).toBeGreaterThan(1e-3);
      expect(model.run(ids, { hooks: { ...wiped, "blocks.1.hook_resid_post": () => stored } }).arraySync()).toEqual(
        plain,
      );
      expect(stored.disposed).toBe(false);
    });
  });

  it("let gradients through a replacement", () => {
    using model = tinyModel();
    scope(() => {
      const patch = Tensor.randomNormal([1, 4, 16], 1, 2);
      patch.requiresGrad = true;
      const logits = model.run(ids, { hooks: { "blocks.0.hook_resid_post": () => patch } });
      backward(logits, Tensor.full(logits.shape, 1));
      expect(Math.max(...patch.grad!.arraySync().map(Math.abs))).toBeGreaterThan(0);
    });
  });

  it("cache the same activations with and without the output layer, for every layer that {i} stands for", () => {
    using model = tinyModel();
    scope(() => {
      const withLogits = model.runWithCache(ids, ["blocks.{i}.hook_resid_mid"]).cache;
      const without = model.activations(ids, ["blocks.{i}.hook_resid_mid"]);
      expect([...without.keys()]).toEqual(["blocks.0.hook_resid_mid", "blocks.1.hook_resid_mid"]);
      for (const [name, tensor] of without) expect(tensor.arraySync()).toEqual(withLogits.get(name)!.arraySync());
    });
  });

  it("refuse names that do not exist, with near ones, and shapes that do not fit", () => {
    using model = tinyModel();
    expect(() => model.activations(ids, ["blocks.0.hook_resid_pots"])).toThrow(OptionError);
    expect(() => model.activations(ids, ["blocks.0.hook_resid_pots"])).toThrow('Near: "blocks.0.hook_resid_post"');
    expect(() => model.activations(ids, ["blocks.2.hook_resid_post"])).toThrow("with {i} from 0 to 1");
    scope(() => {
      expect(() => model.run(ids, { hooks: { hook_embed: () => Tensor.zeros([4, 16]) } })).toThrow(ShapeError);
      expect(() => model.run(ids, { hooks: { hook_embed: 1 as never } })).toThrow('The hook at "hook_embed" is 1.');
      expect(() => model.run(ids, { hooks: { hook_embed: () => 3 as never } })).toThrow(
        "returned 3. Allowed: [1, 4, 16]",
      );
      expect(() => model.run(ids, { hook: {} } as never)).toThrow('Did you mean "hooks"?');
    });
  });
});
