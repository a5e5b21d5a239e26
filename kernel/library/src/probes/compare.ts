import { OptionError, ShapeError } from "../errors.js";
import { events, type PcaComparisonMeta } from "../events.js";
import type { LanguageModel } from "../models/model.js";
import { checkOptions, custom, integer, signal, text } from "../options.js";
import { noGrad, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { collectActivations, selectPoints, type PointSelection, type Prompt } from "./activations.js";
import { PcaComparison } from "./comparison.js";
import { pca } from "./pca.js";

export interface ComparePcaOptions {
  readonly prompts: Iterable<Prompt>;
  /** A hook name, `{i}` standing for every layer. Default "blocks.{i}.hook_resid_post". */
  readonly hook?: string;
  /** Default 3. */
  readonly components?: number;
  /** Tokens to look at; more are sampled. Default 2000. */
  readonly maxPoints?: number;
  /** Of the sampling. Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

let comparisons = 0;

/**
 * The same tokens through two models, their activations in one basis: per layer, principal components are fitted on the
 * first model's, and both models' are projected on them, so that what moved has really moved. Shows itself in the cell, and
 * in the PCA compare panel where one is open.
 *
 * @throws {ShapeError} if the two models differ in vocabulary, width or layers · {OptionError} · {InterruptedError}
 * @example
 * await comparePca(model, small, { prompts: ["The old lighthouse"], hook: "blocks.{i}.hook_resid_post" });
 */
export async function comparePca(
  first: LanguageModel,
  second: LanguageModel,
  options: ComparePcaOptions,
): Promise<PcaComparison> {
  const checked = checkOptions("comparePca", options, {
    prompts: custom<Iterable<Prompt>>("an array of texts, or of objects with a text", arePrompts),
    hook: text({ fallback: "blocks.{i}.hook_resid_post" }),
    components: integer({ from: 1, to: first.config.hiddenSize, fallback: 3 }),
    maxPoints: integer({ from: 2, fallback: 2000 }),
    seed: integer({ fallback: 0 }),
    signal: signal(),
  });
  const { prompts, hook } = checked;
  if (prompts === undefined)
    throw new OptionError("comparePca", "No prompts came. Give an array of texts as { prompts }.");
  checkComparable(first, second);
  const points = selectPoints("comparePca", first, prompts, checked);
  if (points.tokens.length < Math.max(2, checked.components)) {
    throw new OptionError(
      "comparePca",
      `The prompts have ${points.tokens.length} tokens for ${checked.components} components. Give longer prompts, or more.`,
    );
  }
  const activations: Map<string, Tensor>[] = [];
  try {
    for (const model of [first, second])
      activations.push(await collectActivations("comparePca", model, points, hook, checked.signal));
    const layers = [...activations[0]!.keys()].map((name) =>
      compareLayer(name, activations[0]!.get(name)!, activations[1]!.get(name)!, checked.components),
    );
    const comparison = new PcaComparison(
      metaOf(first, second, hook, points, layers, checked.components),
      joined(layers),
    );
    const { meta, coordinates } = comparison;
    events.emit("pca.comparison", { comparison: meta, coordinates });
    return comparison;
  } finally {
    for (const layers of activations) for (const tensor of layers.values()) tensor.dispose();
  }
}

interface LayerComparison {
  readonly name: string;
  /** [2, points, components] */
  readonly coordinates: readonly [Float32Array, Float32Array];
  readonly explained: readonly number[];
  readonly displacement: number;
}

function compareLayer(name: string, a: Tensor, b: Tensor, components: number): LayerComparison {
  return noGrad(() =>
    scope(() => {
      using basis = pca(a, { components });
      const coordinates = [basis.project(a), basis.project(b)].map((tensor) => tensor.arraySync() as Float32Array);
      return {
        name,
        coordinates: coordinates as [Float32Array, Float32Array],
        explained: basis.explained,
        displacement: displacement(a.arraySync(), b.arraySync(), basis.mean.arraySync()),
      };
    }),
  );
}

/** mean ‖b − a‖ / mean ‖a − mean(a)‖ over rows. */
function displacement(a: ArrayLike<number>, b: ArrayLike<number>, mean: ArrayLike<number>): number {
  const columns = mean.length;
  let moved = 0;
  let spread = 0;
  for (let start = 0; start < a.length; start += columns) {
    let difference = 0;
    let distance = 0;
    for (let column = 0; column < columns; column++) {
      difference += (b[start + column]! - a[start + column]!) ** 2;
      distance += (a[start + column]! - mean[column]!) ** 2;
    }
    moved += Math.sqrt(difference);
    spread += Math.sqrt(distance);
  }
  return moved === 0 ? 0 : moved / spread;
}

function metaOf(
  first: LanguageModel,
  second: LanguageModel,
  hook: string,
  points: PointSelection,
  layers: readonly LayerComparison[],
  components: number,
): PcaComparisonMeta {
  return {
    id: `pca ${++comparisons}`,
    models: modelNames(first, second),
    hook,
    layers: layers.map(({ name }) => name),
    points: points.tokens.length,
    sampled: { from: points.from, method: points.method, seed: points.seed },
    components,
    explained: layers.map(({ explained }) => explained),
    displacement: layers.map((layer) => layer.displacement),
    tokens: points.tokens,
    promptOf: points.promptOf,
    prompts: points.prompts,
  };
}

function modelNames(first: LanguageModel, second: LanguageModel): [string, string] {
  const [a, b] = [first, second].map(({ label, tuning }) =>
    tuning === null ? label : `${label} + ${tuning.method}`,
  ) as [string, string];
  return a === b ? [`${first.name}: ${a} (first)`, `${second.name}: ${b} (second)`] : [a, b];
}

/** [layers, 2, points, components] */
function joined(layers: readonly LayerComparison[]): Float32Array {
  const parts = layers.flatMap(({ coordinates }) => coordinates);
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function checkComparable(first: LanguageModel, second: LanguageModel): void {
  for (const field of ["vocabSize", "hiddenSize", "layers"] as const) {
    if (first.config[field] === second.config[field]) continue;
    throw new ShapeError(
      "comparePca",
      `${field} is ${first.config[field]} in "${first.name}" and ${second.config[field]} in "${second.name}". ` +
        "Allowed: two models of one shape and vocabulary, for example a model and what quantize made of it.",
      { field },
    );
  }
}

function arePrompts(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value)) return false;
  return [...(value as Iterable<unknown>)].every(
    (prompt) =>
      typeof prompt === "string" ||
      (typeof prompt === "object" && prompt !== null && "text" in prompt && typeof prompt.text === "string"),
  );
}
