import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  FormatError,
  liveTensors,
  loadAdapter,
  loadModel,
  OptionError,
  quantize,
  SafetensorsFile,
  saveAdapter,
  scope,
  train,
  tune,
  UnsupportedError,
  useAdapter,
  type LanguageModel,
  type LoraAdapter,
} from "nibble-lab";
import { largestDifference, tinyModel, tinyTokens } from "../tiny-model.js";

const golden = new URL("../../fixtures/adapters/", import.meta.url).pathname;
const expected = JSON.parse(readFileSync(join(golden, "logits.json"), "utf8")) as Record<string, number[]>;
const temporary = mkdtempSync(join(tmpdir(), "nibble-lab-adapters-"));
afterAll(() => rmSync(temporary, { recursive: true }));
let folders = 0;
const fresh = () => join(temporary, String(++folders));
const settings = { data: tinyTokens(400), steps: 3, batchSize: 2, length: 16, learningRate: 2e-2 };

function logits(of: LanguageModel, ids: readonly number[] = [...tinyTokens(12)]): Float32Array {
  return scope(() => of.run(ids).arraySync() as Float32Array);
}
function config(folder: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")) as Record<string, unknown>;
}
async function tensorsOf(folder: string): Promise<Map<string, number[]>> {
  const file = await SafetensorsFile.open(join(folder, "adapter_model.safetensors"));
  const tensors = new Map<string, number[]>();
  for (const name of file.tensors.keys()) {
    using tensor = await file.read(name);
    tensors.set(name, [...tensor.shape, ...tensor.arraySync()]);
  }
  await file.close();
  return new Map([...tensors].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe("adapters in peft's format", () => {
  it.each(["plain", "patterns"])("computes peft's logits with peft's files: %s", async (name) => {
    using model = await loadModel(join(golden, "model"));
    expect(largestDifference(logits(model, expected.ids), expected.base!)).toBeLessThan(1e-5);
    await loadAdapter(model, join(golden, name));
    expect(largestDifference(logits(model, expected.ids), expected[name]!)).toBeLessThan(2e-5);
    expect(model.trainableParameters().size).toBe(0);
  });

  it.each(["plain", "patterns"])("writes the tensors and the settings that peft wrote: %s", async (name) => {
    using model = await loadModel(join(golden, "model"));
    await loadAdapter(model, join(golden, name));
    const folder = fresh();
    await saveAdapter(model, folder);
    expect(await tensorsOf(folder)).toEqual(await tensorsOf(join(golden, name)));
    const [ours, theirs] = [config(folder), config(join(golden, name))];
    for (const field of ["peft_type", "task_type", "use_rslora", "bias", "fan_in_fan_out", "lora_dropout"]) {
      expect(ours[field], field).toEqual(theirs[field]);
    }
    expect(new Set(ours.target_modules as string[])).toEqual(
      new Set(
        name === "plain"
          ? (theirs.target_modules as string[])
          : ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
      ),
    );
    using again = await loadModel(join(golden, "model"));
    await loadAdapter(again, folder);
    expect(logits(again, expected.ids)).toEqual(logits(model, expected.ids));
  });

  it("keeps the dropout", async () => {
    using model = tune(tinyModel(), { method: "lora", rank: 2, dropout: 0.1 });
    const folder = fresh();
    await saveAdapter(model, folder);
    expect(config(folder).lora_dropout).toBe(0.1);
    using again = tinyModel();
    await loadAdapter(again, folder, { trainable: true });
    expect(([...again.linears()][0]![1].adapter as LoraAdapter).dropout).toBe(0.1);
  });

  it("names single layers where last parts would say too much", async () => {
    using model = tune(tinyModel(), { method: "lora", rank: 2, targets: ["blocks.1.attention.q_proj"] });
    const folder = fresh();
    await saveAdapter(model, folder);
    expect(config(folder).target_modules).toEqual(["model.layers.1.self_attn.q_proj"]);
  });

  it.each([
    ["use_dora", true],
    ["bias", "all"],
    ["fan_in_fan_out", true],
    ["modules_to_save", ["lm_head"]],
    ["peft_type", "IA3"],
  ])("refuses what it does not compute: %s", async (field, value) => {
    const folder = fresh();
    using source = tune(tinyModel(), { method: "lora", rank: 2 });
    await saveAdapter(source, folder);
    writeFileSync(join(folder, "adapter_config.json"), JSON.stringify({ ...config(folder), [field]: value }));
    using model = tinyModel();
    const live = liveTensors();
    await expect(loadAdapter(model, folder)).rejects.toThrow(UnsupportedError);
    await expect(loadAdapter(model, folder)).rejects.toThrow(field);
    expect([liveTensors(), model.adapters.size]).toEqual([live, 0]);
  });

  it("says when the files are for another model, and leaves this one as it was", async () => {
    const folder = fresh();
    using source = tune(tinyModel(), { method: "lora", rank: 2 });
    await saveAdapter(source, folder);
    using wider = tinyModel({ hiddenSize: 24 });
    const before = logits(wider);
    await expect(loadAdapter(wider, folder)).rejects.toThrow(FormatError);
    await expect(loadAdapter(wider, folder)).rejects.toThrow("is [2, 16]. Expected [any, 24].");
    using shorter = tinyModel({ layers: 1 });
    await expect(loadAdapter(shorter, folder)).rejects.toThrow("which fits no linear layer of this model's blocks.");
    expect(logits(wider)).toEqual(before);
    await expect(loadAdapter(wider, join(folder, "nothing"))).rejects.toThrow("adapter_config.json is missing.");
  });
});

describe("adapters by name", () => {
  const kinds = {
    "lora on f32": { method: "lora", rank: 2 },
    "lora on int4": { method: "lora", rank: 2 },
    "peqa, relative": { method: "peqa" },
    "peqa, absolute, with zero-points": { method: "peqa", parametrization: "absolute", zeroPoints: true },
  } as const;
  type Kind = keyof typeof kinds;
  const base = async (kind: Kind) => {
    if (kind === "lora on f32") return tinyModel();
    using model = tinyModel();
    return quantize(model, { method: "rtn", bits: 4 });
  };

  it.each(Object.keys(kinds) as Kind[])("come back bit for bit and swap on one shared model: %s", async (kind) => {
    const live = liveTensors();
    const model = await base(kind);
    const outputs = new Map([["none", logits(model)]]);
    const hash = kind === "lora on f32" ? "" : model.codesHash();
    const saved = new Map<string, string>();
    for (const [name, seed] of [
      ["poems", 1],
      ["recipes", 2],
    ] as const) {
      using tuned = tune(model.fork(), kinds[kind]);
      await train(tuned, { ...settings, seed });
      outputs.set(name, logits(tuned));
      saved.set(name, join(fresh(), name));
      await saveAdapter(tuned, saved.get(name)!);
    }
    expect(outputs.get("poems")).not.toEqual(outputs.get("recipes"));
    for (const folder of saved.values()) await loadAdapter(model, folder);
    expect([...model.adapters.keys(), model.adapterName]).toEqual(["poems", "recipes", "recipes"]);
    for (const name of ["recipes", "poems", "none", "recipes"]) {
      expect(useAdapter(model, name === "none" ? null : name)).toBe(model);
      expect(logits(model), name).toEqual(outputs.get(name));
    }
    if (hash !== "") expect(model.codesHash()).toBe(hash);
    const fork = model.fork();
    model.dispose();
    expect(logits(fork)).toEqual(outputs.get("recipes"));
    expect(logits(useAdapter(fork, "poems"))).toEqual(outputs.get("poems"));
    fork.dispose();
    expect(liveTensors()).toBe(live);
  });

  it("trains on where asked, and keeps the others as they were", async () => {
    using model = tune(tinyModel(), { method: "lora", rank: 2 });
    await train(model, settings);
    const [folder, before] = [fresh(), logits(model)];
    await saveAdapter(model, folder);
    expect(model.adapterName).toBe("default");
    await loadAdapter(model, folder, { name: "more", trainable: true });
    expect(String(model.tuning)).toContain('"more" trains on');
    await train(model, settings);
    expect(logits(model)).not.toEqual(before);
    useAdapter(model, "default");
    expect(logits(model)).toEqual(before);
  });

  it("refuses scales that were trained for other codes", async () => {
    using model = tinyModel();
    using three = tune(await quantize(model, { method: "rtn", bits: 3 }), { method: "peqa" });
    const folder = fresh();
    await saveAdapter(three, folder);
    using four = await quantize(model, { method: "rtn", bits: 4 });
    await expect(loadAdapter(four, folder)).rejects.toThrow("was trained for other codes than this model's");
    await expect(loadAdapter(model, folder)).rejects.toThrow("is stored as f32");
    expect(four.adapters.size).toBe(0);
  });

  it("refuses names that are taken or unknown", async () => {
    using model = tune(tinyModel(), { method: "lora", rank: 2 });
    const folder = fresh();
    await saveAdapter(model, folder);
    await expect(loadAdapter(model, folder, { name: "default" })).rejects.toThrow(OptionError);
    expect(() => useAdapter(model, "defualt")).toThrow('The model has: "default". Did you mean "default"?');
    await expect(saveAdapter(tinyModel(), fresh())).rejects.toThrow("The model has no adapter.");
  });

  it("is written whole or not at all, and replaces only when asked", async () => {
    using model = tune(tinyModel(), { method: "lora", rank: 2 });
    const folder = fresh();
    await saveAdapter(model, folder);
    const before = readdirSync(folder);
    await expect(saveAdapter(model, folder)).rejects.toThrow("Choose another folder, or give { overwrite: true }.");
    writeFileSync(join(folder, "notes.txt"), "mine");
    await train(model, settings);
    await saveAdapter(model, folder, { overwrite: true });
    expect(new Set(readdirSync(folder))).toEqual(new Set([...before, "notes.txt"]));
    using again = tinyModel();
    await loadAdapter(again, folder);
    expect(logits(again)).toEqual(logits(model));
    expect(readdirSync(temporary).filter((name) => name.endsWith(".part"))).toEqual([]);
  });
});
