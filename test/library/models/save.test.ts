import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  FormatError,
  liveTensors,
  loadModel,
  OptionError,
  quantize,
  quantizers,
  saveModel,
  scope,
  train,
  tune,
  UnsupportedError,
  type LanguageModel,
  type QuantizeOptions,
} from "nibble-lab";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const temporary = mkdtempSync(join(tmpdir(), "nibble-lab-save-"));
afterAll(() => rmSync(temporary, { recursive: true }));
let folders = 0;
const fresh = () => join(temporary, String(++folders));
const settings = { data: tinyTokens(400), steps: 3, batchSize: 2, length: 16, learningRate: 2e-2 };

function logits(of: LanguageModel): Float32Array {
  return scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);
}
function tensorsOf(model: LanguageModel): Map<string, number[]> {
  return new Map([...model.namedTensors()].map(([name, tensor]) => [name, [...tensor.shape, ...tensor.arraySync()]]));
}
function changeConfig(folder: string, change: (config: Record<string, never>) => void): void {
  const path = join(folder, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, never>;
  change(config);
  writeFileSync(path, JSON.stringify(config));
}

/** The entry of the first packed layer. */
const first = (quantization: Record<string, unknown>) =>
  Object.values(quantization.layers as Record<string, Record<string, unknown>>)[0]!;

const kinds: Readonly<Record<string, QuantizeOptions>> = {
  "int2 per channel": { method: "rtn", bits: 2 },
  "int3, groups of 8": { method: "rtn", bits: 3, group: 8 },
  "int8, symmetric": { method: "rtn", bits: 8, symmetric: true },
  nf4: { method: "nf4", blockSize: 32 },
  "nf4 with double quantization": { method: "nf4", doubleQuant: true },
  nf3: { method: "nf3", blockSize: 32 },
  "nf2 with double quantization": { method: "nf2", doubleQuant: true },
  gptq: { method: "gptq", bits: 3, group: 8, calibration: tinyTokens(60) },
  fp4: { method: "fp4", doubleQuant: true },
  e2m1: { method: "fp4", levels: "e2m1" },
  hqq: { method: "hqq", bits: 2 },
  "awq, which also changes norms and biases": { method: "awq", calibration: tinyTokens(60) },
  "some layers only": { method: "rtn", bits: 4, include: ["mlp.*"] },
};

type Misfit = readonly [
  string,
  new (...parts: never[]) => Error,
  (quantization: Record<string, unknown>) => void,
  string,
];
const misfits: readonly Misfit[] = [
  [
    "a newer version",
    UnsupportedError,
    (q: Record<string, unknown>) => void (q.version = 2),
    "packed weights of version 2",
  ],
  ["no layers", FormatError, (q: Record<string, unknown>) => void delete q.layers, "Expected an object and a string."],
  ["another group", FormatError, (q: Record<string, unknown>) => void (first(q).group = 8), "do not make a weight"],
  [
    "another format",
    FormatError,
    (q: Record<string, unknown>) => void (first(q).format = "int3"),
    "do not make a weight",
  ],
];

describe("saveModel", () => {
  it.each(Object.entries(kinds))("gives a quantized model back bit for bit: %s", async (_, options) => {
    const live = liveTensors();
    {
      using model = tinyModel({ tieEmbeddings: false, attentionBias: true });
      using small = await quantize(model, options);
      const folder = fresh();
      await saveModel(small, folder);
      using copy = await loadModel(folder);
      expect(tensorsOf(copy)).toEqual(tensorsOf(small));
      expect(copy.codesHash()).toBe(small.codesHash());
      expect(logits(copy)).toEqual(logits(small));
      expect([copy.label, String(copy.quantization)]).toEqual([small.label, String(small.quantization)]);
      expect([...copy.linears()].map(([, { weight }]) => weight.description)).toEqual(
        [...small.linears()].map(([, { weight }]) => weight.description),
      );
    }
    expect(liveTensors()).toBe(live);
  });

  it("covers every quantizer", () => {
    const covered = new Set(Object.values(kinds).map(({ method }) => method));
    expect(Object.keys(quantizers).filter((name) => !covered.has(name as never))).toEqual([]);
  });

  it("writes what PEQA trained in the place of the scales, exactly", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 2 }), { method: "peqa", zeroPoints: true });
    await train(small, settings);
    const [folder, live] = [fresh(), liveTensors()];
    await saveModel(small, folder);
    expect(liveTensors()).toBe(live);
    using copy = await loadModel(folder);
    expect(logits(copy)).toEqual(logits(small));
    expect(copy.trainableParameters().size).toBe(0);
    tune(copy, { method: "peqa" });
  });

  it("refuses LoRA and weights in training for their rounding, and writes nothing", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "nf4" }), { method: "lora", rank: 2 });
    const folder = fresh();
    await expect(saveModel(small, folder)).rejects.toThrow(UnsupportedError);
    await expect(saveModel(small, folder)).rejects.toThrow("saveAdapter(model, folder) writes the adapter alone");
    using trained = tune(tinyModel(), { method: "qat", bits: 4 });
    await expect(saveModel(trained, folder)).rejects.toThrow("merge(model) rounds it for good");
    expect(existsSync(folder)).toBe(false);
  });

  it("replaces a folder only when asked, and leaves other files in it", async () => {
    using model = tinyModel();
    const folder = fresh();
    await saveModel(model, folder);
    writeFileSync(join(folder, "notes.txt"), "mine");
    writeFileSync(join(folder, "model.safetensors.index.json"), "{}");
    using small = await quantize(model, { method: "rtn" });
    await expect(saveModel(small, folder)).rejects.toThrow(OptionError);
    await saveModel(small, folder, { overwrite: true });
    expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors", "notes.txt"]);
    using copy = await loadModel(folder);
    expect(logits(copy)).toEqual(logits(small));
  });

  it("leaves the folder as it was where writing fails, and nothing beside it", async () => {
    using model = tinyModel();
    const folder = fresh();
    await saveModel(model, folder);
    const before = readFileSync(join(folder, "model.safetensors"));
    using broken = tinyModel({}, 9);
    [...broken.namedTensors()].at(-1)![1].dispose();
    await expect(saveModel(broken, folder, { overwrite: true })).rejects.toThrow("was disposed of");
    expect(readFileSync(join(folder, "model.safetensors"))).toEqual(before);
    expect(readdirSync(temporary).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it.each(misfits)("refuses files that do not fit: %s", async (_, ErrorClass, change, text) => {
    using model = tinyModel();
    using small = await quantize(model, { method: "rtn", bits: 4 });
    const folder = fresh();
    await saveModel(small, folder);
    changeConfig(folder, (config) => change(config.quantization_config!));
    const live = liveTensors();
    await expect(loadModel(folder)).rejects.toThrow(ErrorClass);
    await expect(loadModel(folder)).rejects.toThrow(text);
    expect(liveTensors()).toBe(live);
  });
});
