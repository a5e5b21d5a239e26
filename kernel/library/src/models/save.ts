import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { familyOf } from "./families.js";
import type { LanguageModel } from "./model.js";
import { QUANT_METHOD, QUANT_VERSION } from "./quantized.js";
import { UnsupportedError } from "../errors.js";
import { INDEX, WEIGHTS } from "../io/checkpoint.js";
import { writeFolder } from "../io/folder.js";
import { writeSafetensors } from "../io/safetensors.js";
import { DenseWeight } from "../nn/linear.js";
import { checkOptions, flag } from "../options.js";
import { PackedWeight } from "../quantization/packed-weight.js";
import { storedLayer, type StoredLayer } from "../quantization/stored.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Writes a model as a Hugging Face folder. With plain weights transformers reads it as well; packed weights are written as they are
 * (docs/formats.md), so that `loadModel` gives back the same model bit for bit. Scales that PEQA trained are written in the place of
 * those that they replace. The folder is there whole or not at all.
 *
 * @throws {UnsupportedError} for weights with LoRA beside them or in training for their rounding · {OptionError} if the folder exists
 *   and is not empty, unless `overwrite`; files of other names in it stay
 * @example
 * await saveModel(small, "models/pocket-int4"); const same = await loadModel("models/pocket-int4");
 */
export async function saveModel(
  model: LanguageModel,
  folder: string,
  options: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const { overwrite } = checkOptions("saveModel", options, { overwrite: flag({ fallback: false }) });
  const { tensors, layers, merged } = contents(model);
  const { writeConfig } = familyOf(model.config.modelType);
  const config = {
    ...writeConfig(model.config),
    ...(layers.size > 0 && { quantization_config: described(model, layers) }),
  };
  const target = resolve(folder);
  try {
    await writeFolder("saveModel", target, overwrite, async (temporary) => {
      await writeSafetensors(join(temporary, WEIGHTS), tensors, { format: "pt" });
      await writeFile(join(temporary, "config.json"), json(config));
      if (!model.hasTokenizer) return;
      await writeFile(join(temporary, "tokenizer.json"), json(model.tokenizer.definition));
      await writeFile(join(temporary, "tokenizer_config.json"), json(model.tokenizer.config));
    });
    // The index of an overwritten folder would lead to the shards of before.
    if (existsSync(join(target, INDEX))) await rm(join(target, INDEX));
  } finally {
    for (const weight of merged) weight.dispose();
  }
}

/** The model's tensors by their names in the file, and how each packed layer is stored. */
function contents(model: LanguageModel) {
  const { fileName } = familyOf(model.config.modelType);
  const layers = new Map<string, StoredLayer>();
  const merged: PackedWeight[] = [];
  const packed = new Map<string, Tensor>();
  const replaced = new Set<Tensor>();
  for (const [name, { weight, adapter }] of model.linears()) {
    if (weight instanceof DenseWeight && adapter === null) continue;
    if (!(weight instanceof PackedWeight) || adapter !== null)
      throw unsupported(name, weight.description, adapter?.description);
    for (const [, tensor] of weight.namedTensors()) replaced.add(tensor);
    if (weight.adapter !== null) merged.push(weight.merged());
    const { entry, tensors } = storedLayer(weight.adapter === null ? weight : merged.at(-1)!);
    const file = fileName(`${name}.weight`);
    layers.set(file, entry);
    for (const [part, tensor] of tensors) packed.set(`${file}.${part}`, tensor);
  }
  const plain = [...model.namedTensors()].filter(([, tensor]) => !replaced.has(tensor));
  const tensors = new Map([...plain.map(([name, tensor]): [string, Tensor] => [fileName(name), tensor]), ...packed]);
  return { tensors, layers, merged };
}

function described(model: LanguageModel, layers: ReadonlyMap<string, StoredLayer>): object {
  return {
    quant_method: QUANT_METHOD,
    version: QUANT_VERSION,
    label: model.label,
    report: model.quantization,
    layers: Object.fromEntries(layers),
  };
}

function unsupported(name: string, weight: string, adapter: string | undefined): UnsupportedError {
  const stored = adapter === undefined ? weight : `${weight} with ${adapter}`;
  const advice =
    adapter === undefined
      ? "merge(model) rounds it for good"
      : "saveAdapter(model, folder) writes the adapter alone, merge(model) makes one weight of both";
  return new UnsupportedError(
    "saveModel",
    `${name} is stored as ${stored}. Supported: f32 and packed weights without LoRA; ${advice}.`,
    { layer: name },
  );
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}
