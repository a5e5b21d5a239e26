import { basename } from "node:path";
import { OptionError } from "../../errors.js";
import type { LanguageModel } from "../../models/model.js";
import { checkOptions, didYouMean, flag, shown, text } from "../../options.js";
import { Adapter } from "./adapter.js";
import { readAdapter, writeAdapter } from "./files.js";
import { Tuning } from "../tuner.js";

/** The name of what `tune` adds, peft's. */
const DEFAULT_NAME = "default";

/** Notes what stands on the model's layers, under the name in use or the first free one. */
export function nameAdapter(model: LanguageModel): void {
  const adapter = Adapter.on(model.linears(), model.tuning);
  if (adapter.layers.size === 0) return;
  model.adapterName ??= freeName(model, DEFAULT_NAME);
  model.adapters.set(model.adapterName, adapter);
}

function freeName(model: LanguageModel, name: string): string {
  for (let count = 1, free = name; ; free = `${name}-${++count}`) if (!model.adapters.has(free)) return free;
}

/**
 * Puts another of the model's adapters on, or none. The weights below stay where they are; what was on is kept under its name.
 *
 * @param name one of `model.adapters`, or null for the model without any
 * @throws {OptionError} for a name that is not there
 * @example
 * await loadAdapter(small, "adapters/poems"); await loadAdapter(small, "adapters/recipes");
 * useAdapter(small, "poems");
 */
export function useAdapter(model: LanguageModel, name: string | null): LanguageModel {
  const adapter = name === null ? new Adapter(new Map()) : model.adapters.get(name);
  if (adapter === undefined) {
    const names = [...model.adapters.keys()];
    const known = names.length === 0 ? "none" : names.map((one) => JSON.stringify(one)).join(", ");
    const hint = typeof name === "string" ? didYouMean(name, names) : "";
    throw new OptionError("useAdapter", `The adapter is ${shown(name)}. The model has: ${known}.${hint}`, { name });
  }
  adapter.putOn(model.linears());
  model.adapterName = name;
  model.tuning = adapter.tuning;
  return model;
}

/**
 * Writes what tuners added to a model: LoRA as a folder that peft reads (adapter_config.json, adapter_model.safetensors), PEQA as the
 * change of the scales in the same two files (docs/formats.md). The folder is there whole or not at all.
 *
 * @throws {UnsupportedError} where nothing was added, or LoRA and PEQA together · {OptionError} if the folder is there, unless `overwrite`
 * @example
 * await saveAdapter(tuned, "adapters/poems");
 */
export async function saveAdapter(
  model: LanguageModel,
  folder: string,
  options: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const { overwrite } = checkOptions("saveAdapter", options, { overwrite: flag({ fallback: false }) });
  await writeAdapter(model, folder, overwrite);
}

export interface LoadAdapterOptions {
  /** What to call it. Default: the folder's own name. */
  readonly name?: string;
  /** Whether it trains on. Default false. */
  readonly trainable?: boolean;
}

/**
 * Reads an adapter that `saveAdapter` or peft wrote and puts it on; the one before is kept under its name, and the model's weights
 * are shared by all.
 *
 * @throws {OptionError} if the name is taken · {FormatError} if a file is missing, broken, or made for another model or for other
 *   codes · {UnsupportedError} for kinds of adapters other than LoRA and PEQA, and for LoRA with parts that are not here (DoRA, biases)
 * @example
 * await loadAdapter(small, "adapters/poems", { trainable: true });
 */
export async function loadAdapter(
  model: LanguageModel,
  folder: string,
  options: LoadAdapterOptions = {},
): Promise<LanguageModel> {
  const { name = basename(folder), trainable } = checkOptions("loadAdapter", options, {
    name: text(),
    trainable: flag({ fallback: false }),
  });
  if (model.adapters.has(name)) {
    const text = `The model has an adapter ${JSON.stringify(name)} already. Give another { name }, or useAdapter(model, ${JSON.stringify(name)}).`;
    throw new OptionError("loadAdapter", text, { name });
  }
  const { adapter, method, learningRate } = await readAdapter(model, folder);
  model.adapters.set(name, adapter);
  useAdapter(model, name);
  if (trainable) {
    model.network.freeze();
    for (const [, tensor] of adapter.namedTensors()) tensor.requiresGrad = true;
    const numbers = [...model.trainableParameters()].map(([part, { size }]): [string, number] => [part, size]);
    adapter.tuning = model.tuning = new Tuning(method, `"${name}" trains on`, learningRate, new Map(numbers));
  }
  return model;
}
