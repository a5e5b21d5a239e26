import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { ModelConfig } from "./config.js";
import { Decoder, decoderShapes } from "./decoder.js";
import { familyOf } from "./families.js";
import type { ModelFamily } from "./llama.js";
import { LanguageModel } from "./model.js";
import { splitQuantization, type StoredQuantization } from "./quantized.js";
import { Tokenizer } from "./tokenizer.js";
import { FormatError, OptionError, throwIfAborted } from "../errors.js";
import { events } from "../events.js";
import { Checkpoint, exists, readJson } from "../io/checkpoint.js";
import { checkOptions, choice, didYouMean, shown, signal, text } from "../options.js";
import { packedOn, type PackedWeight } from "../quantization/packed-weight.js";
import { PACKED_PARTS, restoreLayer } from "../quantization/stored.js";
import { precisions, type Precision } from "../tensor/dtype.js";
import { deviceNamed } from "../tensor/device.js";
import { onDevice } from "../tensor/kernels.js";
import { keep } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";

const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json"] as const;

/** The models that come with the library, by name. */
const shipped: Readonly<Record<string, string>> = {
  pocket: fileURLToPath(new URL("../../pocket/model", import.meta.url)),
};

export interface LoadOptions {
  /**
   * Where the weights go, and with them all that is computed: "cpu"; "gpu", "gpu:1", …, for what `docs/devices.md` lists; "auto" chooses, today
   * always the CPU.
   */
  readonly device?: string;
  /**
   * What matrix products round their operands to, forward and backward; sums and everything else are f32. Default "f32". "bf16" is QLoRA's
   * compute type; `devices()` says whether this processor multiplies it itself, or only gives the same numbers.
   */
  readonly precision?: Precision;
  readonly signal?: AbortSignal;
}

/**
 * Loads a model: one that is shipped ("pocket"), or a Hugging Face folder with config.json, safetensors weights (one file or shards),
 * tokenizer.json and tokenizer_config.json (without both the model takes token ids only). Weights in F16 and BF16 become f32.
 *
 * @throws {OptionError} for a name that is neither · {FormatError} for a missing or broken file · {UnsupportedError} for an architecture or device that is not there
 * @example
 * const model = await loadModel("pocket");
 */
export async function loadModel(nameOrFolder: string, options: LoadOptions = {}): Promise<LanguageModel> {
  const checked = checkOptions("loadModel", options, {
    device: text({ fallback: "auto" }),
    precision: choice<Precision>(precisions, { fallback: "f32" }),
    signal: signal(),
  });
  const device = deviceNamed("loadModel", checked.device);
  const folder = await folderOf(nameOrFolder);
  const name = Object.hasOwn(shipped, nameOrFolder) ? nameOrFolder : basename(folder);
  const configPath = join(folder, "config.json");
  const raw = await readJson("loadModel", configPath);
  const { quantized, plain } = splitQuantization(raw, configPath);
  const family = familyOf(raw.model_type);
  const config = family.readConfig(plain, configPath);
  const tokenizer = (await hasTokenizer(folder)) ? await loadTokenizer(folder) : null;
  const checkpoint = await Checkpoint.open(folder);
  try {
    const { tensors, packed } = await readWeights(
      checkpoint,
      { family, config, name, quantized, device },
      checked.signal,
    );
    const network = new Decoder(config, tensors, packed);
    const { precision } = checked;
    const label = quantized && { label: quantized.label };
    const model = new LanguageModel({ name, network, tokenizer, precision, ...label });
    model.quantization = quantized?.report ?? null;
    return model;
  } finally {
    await checkpoint.close();
  }
}

async function hasTokenizer(folder: string): Promise<boolean> {
  const present = await Promise.all(TOKENIZER_FILES.map((file) => exists(join(folder, file))));
  return present.includes(true);
}

/** The tokenizer of a Hugging Face folder or of a shipped model. @throws {OptionError} · {FormatError} */
export async function loadTokenizer(nameOrFolder: string): Promise<Tokenizer> {
  const folder = await folderOf(nameOrFolder);
  const path = join(folder, "tokenizer.json");
  return new Tokenizer(
    await readJson("loadTokenizer", path),
    await readJson("loadTokenizer", join(folder, "tokenizer_config.json")),
    path,
  );
}

interface Source {
  readonly family: ModelFamily;
  readonly config: ModelConfig;
  readonly name: string;
  readonly quantized: StoredQuantization | null;
  readonly device: string;
}

async function readWeights(
  checkpoint: Checkpoint,
  { family, config, name: owner, quantized, device }: Source,
  abort: AbortSignal | undefined,
): Promise<{ tensors: Map<string, Tensor>; packed: Map<string, PackedWeight> }> {
  const shapes = [...decoderShapes(config)];
  const stored = new Set(quantized === null ? [] : Object.keys(quantized.layers));
  const used = shapes.flatMap(({ name }) => {
    const file = family.fileName(name);
    return stored.has(file) ? PACKED_PARTS.map((part) => `${file}.${part}`) : [file];
  });
  rejectLeftovers(checkpoint, family, config, new Set(used));
  const tensors = new Map<string, Tensor>();
  const packed = new Map<string, PackedWeight>();
  try {
    for (const { name, shape } of shapes) {
      throwIfAborted("loadModel", abort);
      const file = family.fileName(name);
      if (stored.has(file)) {
        const weight = await readPacked(checkpoint, file, shape, quantized!.layers[file], owner);
        packed.set(name, packedOn(weight, device));
      } else tensors.set(name, keep(onDevice(await checkpoint.read(file, shape, owner), device)));
      events.emit("progress", {
        id: `load ${owner}`,
        label: `loading ${owner}`,
        done: tensors.size + packed.size,
        total: shapes.length,
        unit: "tensors",
      });
    }
  } catch (error) {
    for (const one of [...tensors.values(), ...packed.values()]) one.dispose();
    throw error;
  }
  return { tensors, packed };
}

async function readPacked(
  checkpoint: Checkpoint,
  file: string,
  shape: readonly number[],
  entry: unknown,
  owner: string,
): Promise<PackedWeight> {
  const parts = new Map<string, Tensor>();
  try {
    for (const part of PACKED_PARTS) {
      const category = part === "codes" ? "weights" : "scales";
      const tensor = await checkpoint.readStored(`${file}.${part}`, category, owner);
      if (tensor !== null) parts.set(part, keep(tensor));
    }
    return restoreLayer(checkpoint.folder, file, shape as [number, number], entry, parts);
  } catch (error) {
    for (const tensor of parts.values()) tensor.dispose();
    throw error;
  }
}

function rejectLeftovers(
  checkpoint: Checkpoint,
  family: ModelFamily,
  config: ModelConfig,
  used: ReadonlySet<string>,
): void {
  const left = checkpoint.names.filter((name) => !used.has(name) && !family.ignorable(name, config));
  if (left.length === 0) return;
  const some = left.slice(0, 4).join(", ") + (left.length > 4 ? ", …" : "");
  throw new FormatError(
    "loadModel",
    `${checkpoint.folder} has ${left.length} tensors that its config.json leaves no place for: ${some}.`,
    { path: checkpoint.folder },
  );
}

async function folderOf(nameOrFolder: string): Promise<string> {
  if (typeof nameOrFolder !== "string" || nameOrFolder === "") throw unknownModel(nameOrFolder);
  const own = Object.hasOwn(shipped, nameOrFolder) ? shipped[nameOrFolder] : undefined;
  const folder = own ?? resolve(nameOrFolder);
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return folder;
  if (own === undefined) throw unknownModel(nameOrFolder);
  throw new FormatError(
    "loadModel",
    `The shipped model "${nameOrFolder}" should be in ${folder}, which is missing. Install the package again.`,
    { path: folder },
  );
}

function unknownModel(given: unknown): OptionError {
  const names = Object.keys(shipped);
  const hint = typeof given === "string" ? didYouMean(given, names) : "";
  const known = names.map((name) => JSON.stringify(name)).join(", ");
  const text = `The model is ${shown(given)}. Allowed: ${known}, or the path of a Hugging Face folder (nothing is downloaded).${hint}`;
  return new OptionError("loadModel", text, { given });
}
