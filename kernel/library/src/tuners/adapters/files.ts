import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, UnsupportedError } from "../../errors.js";
import { readJson } from "../../io/checkpoint.js";
import { writeFolder } from "../../io/folder.js";
import { SafetensorsFile, writeSafetensors } from "../../io/safetensors.js";
import type { LanguageModel } from "../../models/model.js";
import type { Linear } from "../../nn/linear.js";
import { didYouMean, shown } from "../../options.js";
import { onDevice } from "../../tensor/kernels.js";
import { keep } from "../../tensor/scope.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Adapter } from "./adapter.js";
import { moduleName, TENSORS, type LoadedAdapter } from "./format.js";
import { readLora, writeLora } from "./lora.js";
import { readPeqa, writePeqa } from "./peqa.js";

const CONFIG = "adapter_config.json";
/** What peft puts before a module's name. */
const PREFIX = "base_model.model.";

export async function writeAdapter(model: LanguageModel, folder: string, overwrite: boolean): Promise<void> {
  const { layers } = Adapter.on(model.linears());
  const kinds = new Set([...layers.values()].flatMap(({ beside, scales }) => [beside && "LoRA", scales && "PEQA"]));
  kinds.delete(null);
  if (kinds.size !== 1) {
    const what = kinds.size === 0 ? "The model has no adapter" : "The model has LoRA and PEQA together";
    const advice =
      'Tune with { method: "lora" } or { method: "peqa" }; a model with other changes is saved by saveModel';
    throw new UnsupportedError("saveAdapter", `${what}. ${advice}.`);
  }
  const { config, tensors } = kinds.has("LoRA") ? writeLora(model, layers) : writePeqa(model, layers);
  const files = new Map(
    [...tensors].flatMap(([layer, parts]) => {
      const module = moduleName(model, layer);
      return [...parts].map(([part, tensor]): [string, Tensor] => [`${PREFIX}${module}.${part}`, tensor]);
    }),
  );
  await writeFolder("saveAdapter", folder, overwrite, async (temporary) => {
    await writeSafetensors(join(temporary, TENSORS), files, { format: "pt" });
    await writeFile(join(temporary, CONFIG), `${JSON.stringify(config, null, 2)}\n`);
  });
}

export async function readAdapter(model: LanguageModel, folder: string): Promise<LoadedAdapter> {
  const config = await readJson("loadAdapter", join(folder, CONFIG));
  const readers = { LORA: readLora, PEQA: readPeqa } as const;
  const type = config.peft_type;
  if (typeof type !== "string" || !Object.hasOwn(readers, type)) {
    const text = `${join(folder, CONFIG)} has peft_type ${shown(type)}. Supported: ${Object.keys(readers).join(", ")}.`;
    throw new UnsupportedError("loadAdapter", text, { type });
  }
  const file = await SafetensorsFile.open(join(folder, TENSORS));
  const made: Tensor[] = [];
  try {
    const tensors = new Map<string, Map<string, Tensor>>();
    const layers = new Map([...model.linears()].map(([name, linear]) => [moduleName(model, name), { name, linear }]));
    for (const name of file.tensors.keys()) {
      const { layer, part } = place(file.path, name, layers);
      const read = await file.read(name, type === "LORA" ? "weights" : "scales", layer);
      const tensor = keep(onDevice(read, model.device));
      made.push(tensor);
      tensors.set(layer, (tensors.get(layer) ?? new Map<string, Tensor>()).set(part, tensor));
    }
    return readers[type as keyof typeof readers](model, { config, tensors, folder });
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  } finally {
    await file.close();
  }
}

/** The layer and the part of it that a tensor of the file is for. */
function place(
  path: string,
  name: string,
  layers: ReadonlyMap<string, { readonly name: string; readonly linear: Linear }>,
): { layer: string; part: string } {
  const inner = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  for (let end = inner.lastIndexOf("."); end > 0; end = inner.lastIndexOf(".", end - 1)) {
    const found = layers.get(inner.slice(0, end));
    if (found !== undefined) return { layer: found.name, part: inner.slice(end + 1) };
  }
  const hint = didYouMean(inner, [...layers.keys()]);
  throw new FormatError(
    "loadAdapter",
    `${path} has "${name}", which fits no linear layer of this model's blocks.${hint} Load it onto the model that it was made for.`,
    { path, tensor: name },
  );
}
