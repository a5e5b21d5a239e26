import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadModel, loadTokenizer, createModel, liveTensors, saveModel } from "nibble-lab";
import { storeAsHalf } from "../../../kernel/library/pocket/training/lib/half.js";

describe("storing a model as f16", () => {
  it("halves the file and keeps each weight within half a unit in the last place", async () => {
    const before = liveTensors();
    const folder = mkdtempSync(join(tmpdir(), "pocket-half-"));
    const tokenizer = await loadTokenizer("pocket");
    const shape = { vocabSize: 2048, hiddenSize: 16, intermediateSize: 32, layers: 1, heads: 2 };
    const model = createModel(shape, { seed: 3, tokenizer });
    await saveModel(model, folder);
    const full = statSync(join(folder, "model.safetensors")).size;
    await storeAsHalf(folder);
    expect(statSync(join(folder, "model.safetensors")).size / full).toBeCloseTo(0.5, 1);
    expect(JSON.parse(readFileSync(join(folder, "config.json"), "utf8"))).toMatchObject({ torch_dtype: "float16" });
    const half = await loadModel(folder);
    const stored = new Map(half.namedTensors());
    for (const [name, tensor] of model.namedTensors()) {
      const expected = Array.from(tensor.arraySync());
      const found = stored.get(name)!.arraySync();
      // 11 significant bits; below 2⁻¹⁴ the spacing stays 2⁻²⁴.
      const worst = expected.reduce((most, value, i) => {
        const allowed = Math.max(Math.abs(value) * 2 ** -11, 2 ** -25);
        return Math.max(most, Math.abs(found[i]! - value) / allowed);
      }, 0);
      expect(worst, name).toBeLessThanOrEqual(1);
    }
    model.dispose();
    half.dispose();
    rmSync(folder, { recursive: true });
    expect(liveTensors()).toBe(before);
  });
});
