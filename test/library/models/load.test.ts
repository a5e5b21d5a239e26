import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  createModel,
  FormatError,
  liveTensors,
  loadModel,
  OptionError,
  saveModel,
  scope,
  SafetensorsFile,
  Tokenizer,
  UnsupportedError,
  writeSafetensors,
} from "nibble-lab";
import { tinyConfig } from "../tiny-model.js";

const root = mkdtempSync(join(tmpdir(), "nibble-lab-"));
afterAll(() => rmSync(root, { recursive: true }));

/** Bytes of a few letters as tokens: enough of a tokenizer to be one. */
const vocab = Object.fromEntries(
  ["<s>", "</s>", ..."abcdefghij ".split(""), ..."klmnopqrst".split("")].map((token, id) => [token, id]),
);
const tokenizer = new Tokenizer(
  {
    version: "1.0",
    added_tokens: [special("<s>", 0), special("</s>", 1)],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: "Fuse" },
    model: { type: "BPE", vocab, merges: [], unk_token: null, fuse_unk: false },
  },
  { tokenizer_class: "PreTrainedTokenizerFast", bos_token: "<s>", eos_token: { content: "</s>" }, add_bos_token: true },
);
function special(content: string, id: number) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

async function saved(name: string): Promise<string> {
  const folder = join(root, name);
  using model = createModel({ ...tinyConfig, tieEmbeddings: false }, { seed: 3, tokenizer });
  await saveModel(model, folder, { overwrite: true });
  return folder;
}
/** A copy of a saved model with some fields of its config changed. */
async function withConfig(name: string, changes: Record<string, unknown>): Promise<string> {
  const folder = await saved(name);
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as object;
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...changes }));
  return folder;
}

describe("loadModel", () => {
  it("reads back what saveModel wrote, config, tokenizer and every bit of the logits", async () => {
    const before = liveTensors();
    const original = createModel({ ...tinyConfig, tieEmbeddings: false, attentionBias: true }, { seed: 3, tokenizer });
    const folder = join(root, "round");
    await saveModel(original, folder);
    const copy = await loadModel(folder);
    expect(copy.config).toEqual(original.config);
    expect(copy.tokenizer.encode("badge")).toEqual([0, 3, 2, 5, 8, 6]);
    expect(scope(() => copy.run("badge").arraySync())).toEqual(scope(() => original.run("badge").arraySync()));
    original.dispose();
    copy.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("reads shards through their index", async () => {
    const folder = await saved("shards");
    const whole = await SafetensorsFile.open(join(folder, "model.safetensors"));
    const names = [...whole.tensors.keys()];
    const map: Record<string, string> = {};
    for (const [part, own] of [names.slice(0, 7), names.slice(7)].entries()) {
      const tensors = new Map(await Promise.all(own.map(async (name) => [name, await whole.read(name)] as const)));
      await writeSafetensors(join(folder, `part-${part}.safetensors`), tensors);
      for (const [name, tensor] of tensors) {
        map[name] = `part-${part}.safetensors`;
        tensor.dispose();
      }
    }
    await whole.close();
    using plain = await loadModel(folder);
    rmSync(join(folder, "model.safetensors"));
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
    using sharded = await loadModel(folder);
    expect(scope(() => sharded.run("abc").arraySync())).toEqual(scope(() => plain.run("abc").arraySync()));
    writeFileSync(
      join(folder, "model.safetensors.index.json"),
      JSON.stringify({ weight_map: { ...map, [names[0]!]: "../elsewhere" } }),
    );
    await expect(loadModel(folder)).rejects.toThrow("Allowed: the name of a file in the same folder");
  });

  it("names the known models and the nearest for a name that is neither a model nor a folder", async () => {
    await expect(loadModel("pocktet")).rejects.toThrow(OptionError);
    await expect(loadModel("pocktet")).rejects.toThrow(
      '[loadModel] The model is "pocktet". Allowed: "pocket", or the path of a Hugging Face folder (nothing is downloaded). Did you mean "pocket"?',
    );
    await expect(loadModel("pocket", { devise: "cpu" } as never)).rejects.toThrow('Did you mean "device"?');
    await expect(loadModel("pocket", { device: "gpu:99" })).rejects.toThrow(UnsupportedError);
  });

  it.each([
    [{ model_type: "lama" }, UnsupportedError, 'model_type "lama". Supported: llama. Did you mean "llama"?'],
    [{ model_type: "gpt2" }, UnsupportedError, 'model_type "gpt2". Supported: llama.'],
    [{ rope_scaling: { rope_type: "longrope" } }, UnsupportedError, 'rope_scaling.rope_type = "longrope"'],
    [{ rope_parameters: { rope_type: "llama3" } }, FormatError, "rope_parameters.low_freq_factor"],
    [{ rope_scaling: { type: "linear", factor: 0 } }, FormatError, "rope_scaling.factor is 0"],
    [
      { hidden_act: "gelu" },
      UnsupportedError,
      'hidden_act = "gelu". Supported for model_type "llama": left out, "silu", "swish".',
    ],
    [{ quantization_config: { bits: 4 } }, UnsupportedError, "quantization_config"],
    [{ hidden_size: -1 }, FormatError, "hidden_size is -1. Allowed: a whole number of at least 1."],
    [{ num_key_value_heads: 3 }, FormatError, "4 heads, 3 key/value heads"],
    [{ rms_norm_eps: "small" }, FormatError, 'rms_norm_eps is "small"'],
    [{ intermediate_size: 25 }, FormatError, 'gate_proj.weight" is [24, 16]. config.json asks for [25, 16].'],
    [{ num_hidden_layers: 3 }, FormatError, 'has no tensor "model.layers.2.input_layernorm.weight"'],
    [{ num_hidden_layers: 1 }, FormatError, "has 9 tensors that its config.json leaves no place for: model.layers.1."],
  ])("refuses the config %o", async (changes, errorClass, message) => {
    const before = liveTensors();
    const folder = await withConfig("changed", changes);
    const loading = loadModel(folder);
    await expect(loading).rejects.toThrow(errorClass);
    await expect(loading).rejects.toThrow(message);
    expect(liveTensors()).toBe(before);
  });

  it.each(["config.json", "tokenizer.json", "tokenizer_config.json"])("says that %s is missing", async (file) => {
    const folder = await saved(`without-${file}`);
    rmSync(join(folder, file));
    await expect(loadModel(folder)).rejects.toThrow(`The file ${join(folder, file)} is missing.`);
  });

  it("says that the weights are missing, or cut off", async () => {
    const folder = await saved("cut");
    const path = join(folder, "model.safetensors");
    writeFileSync(path, readFileSync(path).subarray(0, -4));
    await expect(loadModel(folder)).rejects.toThrow(FormatError);
    rmSync(path);
    await expect(loadModel(folder)).rejects.toThrow("has neither model.safetensors nor model.safetensors.index.json");
    cpSync(join(folder, "config.json"), join(folder, "tokenizer.json"));
    await expect(loadModel(folder)).rejects.toThrow("does not describe a tokenizer");
  });
});

describe("createModel", () => {
  it("starts equal from equal seeds, in the sizes that were asked for", () => {
    using a = createModel(tinyConfig, { seed: 1 });
    using b = createModel(tinyConfig, { seed: 1 });
    using c = createModel(tinyConfig, { seed: 2 });
    const weights = (model: typeof a) =>
      [...model.linears()].map(([, linear]) => linear.weight.dequantize().arraySync());
    scope(() => {
      expect(weights(a)).toEqual(weights(b));
      expect(weights(a)).not.toEqual(weights(c));
      // No two layers start the same.
      expect(new Set(weights(a).map((values) => values[0])).size).toBe(14);
    });
  });

  it("refuses fields that do not exist or do not fit", () => {
    expect(() => createModel({ ...tinyConfig, head: 4 } as never)).toThrow('Did you mean "heads"?');
    expect(() => createModel({ ...tinyConfig, heads: 3 })).toThrow("headDim is");
    expect(() => createModel({ ...tinyConfig, kvHeads: 3 })).toThrow("4 heads, 3 key/value heads");
  });
});
