import { setImmediate } from "node:timers/promises";
import { display, formatBytes, inspect, tableBundle, type Displayable, type MimeBundle } from "../display.js";
import { OptionError, ShapeError, throwIfAborted, UnsupportedError } from "../errors.js";
import { perplexity, type Perplexity, type PerplexityOptions } from "../evaluation/perplexity.js";
import { LanguageModel } from "../models/model.js";
import { DenseWeight, type Linear, type LinearWeight } from "../nn/linear.js";
import { checkOptions, custom, integer, signal } from "../options.js";
import { quantize, quantizers, type QuantizeOptions } from "../quantization/index.js";
import { PackedWeight } from "../quantization/packed-weight.js";
import { addInPlace } from "../tensor/kernels.js";
import { keep, noGrad, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { LoraAdapter } from "./lora-adapter.js";
import { FakeQuantizedWeight } from "./qat.js";

export interface MergeOptions extends Pick<PerplexityOptions, "window" | "signal"> {
  /** The model before it was quantized; without it nothing is merged into the original. */
  readonly original?: LanguageModel;
  /** Held-out text; with it every model gets its perplexity. */
  readonly text?: Parameters<typeof perplexity>[1];
  /** How to quantize again. Default: as the model says that it was quantized. */
  readonly quantize?: QuantizeOptions;
}

/** The four models that a tuned model can become, by name. */
export const MERGED = {
  trained: "as it was trained",
  dequantized: "merged into the dequantized weights",
  original: "merged into the original weights",
  requantized: "merged and quantized again",
} as const;
export type MergedName = keyof typeof MERGED;

/** A model that came of a merge, or why there is none. */
export interface MergedModel {
  readonly model: LanguageModel | null;
  readonly perplexity: Perplexity | null;
  readonly note: string;
}

/** What `merge` made; shows the four side by side. The models belong to it until they are taken out. */
export class Merge implements Displayable {
  constructor(
    readonly name: string,
    readonly entries: Readonly<Record<MergedName, MergedModel>>,
  ) {}

  /** The model of that name. @throws {UnsupportedError} where there is none, saying why */
  get(name: MergedName): LanguageModel {
    const { model, note } = this.entries[name];
    if (model === null) throw new UnsupportedError("merge", `There is no model "${name}": ${note}.`, { name });
    return model;
  }
  get trained(): LanguageModel {
    return this.get("trained");
  }
  get dequantized(): LanguageModel {
    return this.get("dequantized");
  }
  get original(): LanguageModel {
    return this.get("original");
  }
  get requantized(): LanguageModel {
    return this.get("requantized");
  }

  dispose(): void {
    for (const { model } of Object.values(this.entries)) model?.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return this[display]()["text/plain"];
  }
  [display](): MimeBundle {
    const entries = Object.entries(this.entries) as [MergedName, MergedModel][];
    const protocol = entries.flatMap(([, { perplexity }]) => perplexity?.protocol ?? [])[0];
    return tableBundle({
      title: `${this.name}: what it can become`,
      columns: ["model", "what", "linear layers", "perplexity", "note"],
      rows: entries.map(([name, { model, perplexity, note }]) => [
        name,
        MERGED[name],
        model === null ? "–" : formatBytes(layerBytes(model)),
        perplexity === null ? "–" : perplexity.perplexity.toFixed(4),
        note,
      ]),
      ...(protocol !== undefined && { note: `Perplexity: ${protocol}.` }),
    });
  }
  [inspect](): string {
    return this.toString();
  }
}

/**
 * What a tuned model can become, all four side by side: as it was trained, merged into its dequantized weights, into the original ones,
 * and merged and quantized again. Only the first, and the second up to rounding, compute what was trained: the others carry the
 * quantization error in once less or once more than the training saw. Scales that PEQA trained, and weights that QAT trained, fold
 * into codes exactly. The given model is left as it was.
 *
 * @throws {UnsupportedError} if the model has nothing to merge · {ShapeError} if `original` is another model · {InterruptedError}
 * @example
 * const merged = await merge(tuned, { original: model, text: data.pocket.text("test") });
 * merged;                                             // a table
 * await saveModel(merged.trained, "models/tuned");    // PEQA: the same numbers, no adapter
 */
export async function merge(model: LanguageModel, options: MergeOptions = {}): Promise<Merge> {
  const checked = checkOptions("merge", options, {
    original: custom<LanguageModel>("a model", (value) => value instanceof LanguageModel),
    text: custom<NonNullable<MergeOptions["text"]>>("a text, a dataset or token ids", (value) => value !== null),
    quantize: custom<QuantizeOptions>(
      "the options of quantize",
      (value) => typeof value === "object" && value !== null,
    ),
    window: integer({ from: 2 }),
    signal: signal(),
  });
  checkMergeable(model, checked.original);
  const made: LanguageModel[] = [];
  try {
    const models = await mergedModels(model, checked, made);
    const entries: Partial<Record<MergedName, MergedModel>> = {};
    for (const name of Object.keys(MERGED) as MergedName[]) {
      const { model: one, note } = models[name];
      const measure = {
        ...(checked.window && { window: checked.window }),
        ...(checked.signal && { signal: checked.signal }),
      };
      const measured = one === null || checked.text === undefined ? null : await perplexity(one, checked.text, measure);
      entries[name] = { model: one, note, perplexity: measured };
    }
    return new Merge(model.name, entries as Record<MergedName, MergedModel>);
  } catch (error) {
    for (const one of made) one.dispose();
    throw error;
  }
}

type Named = Readonly<Record<MergedName, Pick<MergedModel, "model" | "note">>>;
interface Checked {
  readonly original: LanguageModel | undefined;
  readonly quantize: QuantizeOptions | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The four models; those that were made are in `made` as soon as they are. */
async function mergedModels(model: LanguageModel, options: Checked, made: LanguageModel[]): Promise<Named> {
  const build = async (label: string, weight: (name: string, linear: Linear) => LinearWeight | null) => {
    const one = model.fork({ label });
    made.push(one);
    return replaceWeights(one, weight, options.signal);
  };
  const kept = [...model.linears()].some(([, { adapter }]) => adapter !== null);
  const trained = kept ? model.fork() : await build(model.label, (_, { weight }) => folded(weight));
  if (kept) made.push(trained);
  const dequantized = await build(
    "merged into the dequantized weights",
    (_, linear) => new DenseWeight(product(linear)),
  );
  const original = await intoOriginal(model, options.original, build);
  const how = options.quantize ?? again(model);
  const requantized =
    how === undefined
      ? { model: null, note: "nothing says how to quantize it; give { quantize }" }
      : {
          model: await quantize(dequantized, { ...how, ...(options.signal && { signal: options.signal }) }),
          note: "rounded once more",
        };
  if (requantized.model !== null) made.push(requantized.model);
  return {
    trained: { model: trained, note: kept ? "the adapter stays beside the weights" : "folded into the codes, exact" },
    dequantized: { model: dequantized, note: "what was trained, up to f32 rounding" },
    original,
    requantized,
  };
}

/** How the model was quantized, where that needs no more than its options. */
function again({ quantization }: LanguageModel): QuantizeOptions | undefined {
  if (quantization === null || quantization.options === null) return undefined;
  const options = quantization.options as unknown as QuantizeOptions;
  const quantizer: { readonly needs: "weights" | "inputs" } = quantizers[options.method];
  if (quantizer.needs === "inputs" || options.preprocess !== undefined) return undefined;
  return { ...options, include: quantization.layers.map(({ layer }) => layer) };
}

async function intoOriginal(
  model: LanguageModel,
  original: LanguageModel | undefined,
  build: (label: string, weight: (name: string, linear: Linear) => LinearWeight | null) => Promise<LanguageModel>,
): Promise<Pick<MergedModel, "model" | "note">> {
  if (original === undefined) return { model: null, note: "no original came; give { original }" };
  const start = model.initialization?.method ?? "gaussian";
  if (start !== "gaussian") {
    return {
      model: null,
      note: `the adapter starts from what is missing below it (${start}), which the original has already`,
    };
  }
  if ([...model.linears()].some(([, { weight }]) => weight instanceof FakeQuantizedWeight)) {
    return { model: null, note: "its weights trained themselves, so there is no change to add" };
  }
  const layers = new Map(original.linears());
  const merged = await build("merged into the original weights", (name, linear) => {
    const dense = layers.get(name)!.weight.dequantize();
    scope(() => addChange(dense, linear));
    return new DenseWeight(dense);
  });
  return { model: merged, note: "the training saw quantized weights" };
}

/** dense += what tuning changed of the layer. */
function addChange(dense: Tensor, { weight, adapter }: Linear): void {
  if (adapter instanceof LoraAdapter) adapter.addTo(dense);
  if (!(weight instanceof PackedWeight) || weight.adapter === null) return;
  addInPlace(dense, weight.dequantize());
  const { adapter: change } = weight;
  weight.adapter = null;
  try {
    addInPlace(dense, weight.dequantize(), -1);
  } finally {
    weight.adapter = change;
  }
}

/** What the layer multiplies by, adapter and all, as f32. */
function product({ weight, adapter }: Linear): Tensor {
  const dense = weight.dequantize();
  if (adapter instanceof LoraAdapter) adapter.addTo(dense);
  return dense;
}

/** Scales and weights that trained as codes on a grid; null where nothing is to fold. */
function folded(weight: LinearWeight): LinearWeight | null {
  if (weight instanceof FakeQuantizedWeight) return weight.packed();
  return weight instanceof PackedWeight && weight.adapter !== null ? weight.merged() : null;
}

/** Puts new weights into a fork, layer by layer, and takes its adapters off. */
async function replaceWeights(
  model: LanguageModel,
  weightOf: (name: string, linear: Linear) => LinearWeight | null,
  abort: AbortSignal | undefined,
): Promise<LanguageModel> {
  for (const [name, linear] of model.linears()) {
    throwIfAborted("merge", abort);
    const weight = noGrad(() => keep(weightOf(name, linear)));
    if (weight !== null) {
      if (weight instanceof PackedWeight) weight.label(name);
      else for (const [, tensor] of weight.namedTensors()) tensor.label("weights", name);
      linear.replaceWeight(weight);
    }
    linear.adapter?.dispose();
    linear.adapter = null;
    await setImmediate();
  }
  for (const adapter of model.adapters.values()) adapter.dispose();
  model.adapters.clear();
  model.adapterName = null;
  model.tuning = null;
  model.initialization = null;
  model.network.freeze();
  if ([...model.linears()].every(([, { weight }]) => weight instanceof DenseWeight)) model.quantization = null;
  return model;
}

function checkMergeable(model: LanguageModel, original: LanguageModel | undefined): void {
  const layers = [...model.linears()];
  const changed = layers.some(
    ([, { weight, adapter }]) =>
      adapter !== null ||
      weight instanceof FakeQuantizedWeight ||
      (weight instanceof PackedWeight && weight.adapter !== null),
  );
  if (!changed) {
    const text = `"${model.name}" has no adapter and no trained scales. Tune it with { method: "lora" }, "peqa" or "qat" first.`;
    throw new UnsupportedError("merge", text);
  }
  if (original === undefined) return;
  const others = new Map(original.linears());
  for (const [name, { rows, columns }] of layers) {
    const other = others.get(name);
    if (other?.rows === rows && other.columns === columns) continue;
    const came = other === undefined ? "is missing" : `is [${other.rows}, ${other.columns}]`;
    throw new ShapeError("merge", `${name} of the original ${came}. Expected [${rows}, ${columns}], as in the model.`, {
      layer: name,
    });
  }
  const packed = [...others].find(([, { weight }]) => !(weight instanceof DenseWeight));
  if (packed === undefined) return;
  const text = `original has ${packed[0]} stored as ${packed[1].weight.description}. Allowed: the model in full precision.`;
  throw new OptionError("merge", text, { layer: packed[0] });
}

function layerBytes(model: LanguageModel): number {
  return [...model.linears()].reduce((sum, [, { weight, adapter }]) => {
    const beside = [...(adapter?.namedTensors() ?? [])].reduce((bytes, [, tensor]) => bytes + tensor.bytes, 0);
    return sum + weight.bytes + beside;
  }, 0);
}
