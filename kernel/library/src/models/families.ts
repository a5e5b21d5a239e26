import { llama, type ModelFamily } from "./llama.js";
import { UnsupportedError } from "../errors.js";
import { didYouMean, shown } from "../options.js";

/** The checkpoint families by `model_type`: the only list. */
export const models = { llama } as const satisfies Record<string, ModelFamily>;
export type ModelType = keyof typeof models;

/** @throws {UnsupportedError} listing what is supported */
export function familyOf(modelType: unknown): ModelFamily {
  if (typeof modelType === "string" && Object.hasOwn(models, modelType)) return models[modelType as ModelType];
  const known = Object.keys(models);
  const hint = typeof modelType === "string" ? didYouMean(modelType, known) : "";
  throw new UnsupportedError(
    "loadModel",
    `config.json has model_type ${shown(modelType)}. Supported: ${known.join(", ")}.${hint}`,
    { modelType },
  );
}
