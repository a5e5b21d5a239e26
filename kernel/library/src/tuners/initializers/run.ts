import type { LanguageModel } from "../../models/model.js";
import type { Linear } from "../../nn/linear.js";
import { BlockInputs, type InputGram, type Sequences } from "../../quantization/calibration.js";
import { outputNorm, relativeErrors } from "../../quantization/layer-errors.js";
import { LayerWork } from "../../quantization/layer-work.js";
import { PackedWeight } from "../../quantization/packed-weight.js";
import { pack, type Packing } from "../../quantization/packing.js";
import { Random } from "../../random.js";
import { addInPlace, scaleInPlace } from "../../tensor/kernels.js";
import { noGrad, scope } from "../../tensor/scope.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { LoraAdapter } from "../lora-adapter.js";
import type { InitializerLayer, LayerStart } from "./initializer.js";
import type { LayerInitialization } from "./report.js";

/** A layer with its adapter. */
export interface Job {
  readonly name: string;
  readonly linear: Linear;
  readonly adapter: LoraAdapter;
}
export interface Plan {
  readonly label: string;
  readonly start: (layer: InitializerLayer) => Promise<LayerStart>;
  readonly original: ReadonlyMap<string, Linear> | null;
  readonly sequences: Sequences | null;
  /** How each layer is quantized again; null where none is. */
  readonly packings: ReadonlyMap<string, Packing> | null;
  readonly signal: AbortSignal | undefined;
}

/**
 * Starts one adapter after another on a fork, so that calibration tokens come from behind the layers that were started; at the end the
 * model takes all of it over at once.
 */
export async function startLayers(
  model: LanguageModel,
  jobs: readonly Job[],
  plan: Plan,
): Promise<LayerInitialization[]> {
  using work = model.fork();
  const layers = new Map(work.linears());
  const run = new Run(
    jobs.map((job) => ({
      ...job,
      linear: layers.get(job.name)!,
      adapter: layers.get(job.name)!.adapter as LoraAdapter,
    })),
    plan,
  );
  const results = await noGrad(() =>
    scope(() => (plan.sequences === null ? run.withoutInputs() : run.throughBlocks(work, plan.sequences))),
  );
  for (const { name, linear, adapter } of jobs) {
    const made = layers.get(name)!;
    const { a, b } = made.adapter as LoraAdapter;
    adapter.a.write(a.arraySync());
    adapter.b.write(b.arraySync());
    if (run.changed.has(name)) [linear.weight, made.weight] = [made.weight, linear.weight];
  }
  return jobs.map(({ name }) => results.get(name)!);
}

class Run {
  /** Layers that have another weight below. */
  readonly changed = new Set<string>();
  private readonly results = new Map<string, LayerInitialization>();
  private readonly random = new Random(0);
  private readonly work: LayerWork;

  constructor(
    private readonly jobs: readonly Job[],
    private readonly plan: Plan,
  ) {
    this.work = new LayerWork("initialize", plan.label, jobs.length, plan.signal);
  }

  async withoutInputs(): Promise<ReadonlyMap<string, LayerInitialization>> {
    for (const job of this.jobs) await this.start(job, null);
    return this.results;
  }

  async throughBlocks(model: LanguageModel, sequences: Sequences): Promise<ReadonlyMap<string, LayerInitialization>> {
    const { signal } = this.plan;
    const inputs = new BlockInputs(model, sequences, this.work.throwIfStopped, signal && { signal });
    try {
      for (const block of model.network.blocks) {
        const inside = new Set([...block.namedModules()].map(([, module]) => module));
        const jobs = this.jobs.filter(({ linear }) => inside.has(linear));
        const { grams } = await inputs.grams(
          block,
          jobs.map(({ linear }) => linear),
        );
        try {
          for (const job of jobs) await this.start(job, grams.get(job.linear)!);
        } finally {
          for (const gram of new Set(grams.values())) await gram.dispose();
        }
        if (this.results.size === this.jobs.length) break;
        inputs.advance(await inputs.run(block, new Map(), { outputs: true }));
      }
      return this.results;
    } finally {
      inputs.dispose();
    }
  }

  private async start({ name, linear, adapter }: Job, inputs: InputGram | null): Promise<void> {
    const { rows, columns } = linear;
    const original = this.plan.original?.get(name)?.weight.dequantize() ?? null;
    try {
      const before = original === null ? null : errorsOf(linear, original, inputs, false);
      const made = await this.plan.start({
        name,
        rows,
        columns,
        rank: adapter.rank,
        weight: linear.weight,
        original,
        gram: inputs?.gram ?? null,
        seed: this.random.bits(),
        requantize: (weight) => this.requantize(name, weight, inputs),
      });
      takeOver(linear, adapter, made, name);
      if (made.weight !== undefined) this.changed.add(name);
      const after = original === null ? null : errorsOf(linear, original, inputs, true);
      this.results.set(name, {
        layer: name,
        rank: adapter.rank,
        weightErrorBefore: before?.weightError ?? null,
        weightError: after?.weightError ?? null,
        outputErrorBefore: before?.outputError ?? null,
        outputError: after?.outputError ?? null,
        predicted: made.predicted === undefined ? null : made.predicted / outputNorm(original!, inputs!.gram),
      });
    } finally {
      original?.dispose();
    }
    await this.work.layerDone();
  }

  private async requantize(name: string, weight: Tensor, inputs: InputGram | null): Promise<PackedWeight> {
    const { packed } = await pack(weight, this.plan.packings!.get(name)!, inputs);
    return packed.label(name);
  }
}

/** Writes a start into the layer: scaling·B·A is what was fitted. */
function takeOver(linear: Linear, adapter: LoraAdapter, { a, b, weight }: LayerStart, name: string): void {
  scaleInPlace(b, 1 / adapter.scaling);
  adapter.a.write(a.arraySync());
  adapter.b.write(b.arraySync());
  a.dispose();
  b.dispose();
  if (weight === undefined) return;
  if (!(weight instanceof PackedWeight)) for (const [, tensor] of weight.namedTensors()) tensor.label("weights", name);
  linear.replaceWeight(weight);
}

/** Of the layer's weight, with or without its adapter. */
function errorsOf({ weight, adapter }: Linear, original: Tensor, inputs: InputGram | null, withAdapter: boolean) {
  return scope(() => {
    const difference = weight.dequantize();
    if (withAdapter) (adapter as LoraAdapter).addTo(difference);
    addInPlace(difference, original, -1);
    return relativeErrors(difference, original, inputs?.gram ?? null);
  });
}
