import { join } from "node:path";
import { FormatError } from "../../errors.js";
import { familyOf } from "../../models/families.js";
import type { LanguageModel } from "../../models/model.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Adapter } from "./adapter.js";

export const TENSORS = "adapter_model.safetensors";

/** An adapter's two files: its config, and tensors by module and part ("lora_A.weight"). */
export interface AdapterFiles {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, ReadonlyMap<string, Tensor>>;
  /** For error texts. */
  readonly folder: string;
}
export interface LoadedAdapter {
  readonly adapter: Adapter;
  readonly method: string;
  /** What training on starts with. */
  readonly learningRate: number;
}

/** A layer's name in the model's own files: `model.layers.0.self_attn.q_proj`. */
export function moduleName(model: LanguageModel, layer: string): string {
  return familyOf(model.config.modelType)
    .fileName(`${layer}.weight`)
    .replace(/\.weight$/, "");
}

/** @throws {FormatError} unless a tensor is there with this shape */
export function expectTensor(
  { folder, tensors }: AdapterFiles,
  layer: string,
  part: string,
  shape: readonly (number | null)[],
): Tensor {
  const tensor = tensors.get(layer)?.get(part);
  if (tensor !== undefined && fits(tensor.shape, shape)) return tensor;
  const came = tensor === undefined ? "is missing" : `is [${tensor.shape.join(", ")}]`;
  const wanted = shape.map((size) => size ?? "any").join(", ");
  throw new FormatError("loadAdapter", `${join(folder, TENSORS)}: ${part} of ${layer} ${came}. Expected [${wanted}].`, {
    folder,
    layer,
    part,
  });
}

function fits(shape: readonly number[], wanted: readonly (number | null)[]): boolean {
  return shape.length === wanted.length && shape.every((size, i) => wanted[i] === null || size === wanted[i]);
}
