import { createModel, type LanguageModel, type NewModelConfig, Tensor } from "nibble-lab";

export const tinyConfig = {
  vocabSize: 23,
  hiddenSize: 16,
  intermediateSize: 24,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  maxPositions: 32,
};

/**
 * A Llama-type model small enough for finite differences, without a tokenizer. Its weights are larger than an untrained model's,
 * so that every layer matters to the output.
 */
export function tinyModel(changes: Partial<NewModelConfig> = {}, seed = 5): LanguageModel {
  const model = createModel({ ...tinyConfig, ...changes }, { seed, name: "tiny" });
  for (const [name, tensor] of model.namedParameters()) {
    const factor = name.endsWith("Norm.weight") ? 1 : 12;
    tensor.write(Float32Array.from(tensor.arraySync(), (value) => value * factor));
  }
  return model;
}

/** Ids that wander over the vocabulary. */
export function tinyTokens(count: number, vocabSize = tinyConfig.vocabSize): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (i * i + 3 * i + 1) % vocabSize);
}

export function largestDifference(a: Tensor | ArrayLike<number>, b: Tensor | ArrayLike<number>): number {
  const [left, right] = [a, b].map((x) => (x instanceof Tensor ? x.arraySync() : x)) as [
    ArrayLike<number>,
    ArrayLike<number>,
  ];
  if (left.length !== right.length) return Infinity;
  return Array.from(left, (value, i) => Math.abs(value - right[i]!)).reduce((x, y) => Math.max(x, y), 0);
}
