import { UnsupportedError } from "../errors.js";
import type { LanguageModel } from "../models/model.js";
import { DenseWeight, type Linear } from "../nn/linear.js";
import type { Module } from "../nn/module.js";
import { addInPlace, toDevice } from "../tensor/kernels.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { BlockInputs, type InputGram, type LayerInputs, type Sequences } from "./calibration.js";
import { relativeErrors } from "./layer-errors.js";
import { LayerWork } from "./layer-work.js";
import { packedOn, type PackedWeight } from "./packed-weight.js";
import { pack, type Packing } from "./packing.js";
import type { Layer } from "./quantizer.js";
import type { LayerQuantization } from "./report.js";

/** A layer of the model that is being quantized, and the method's options for it. */
export interface Job extends Layer {
  readonly linear: Linear;
  readonly options: Required<object>;
}

/** What happens to each layer. */
export interface Plan extends Pick<Packing, "quantizer" | "preprocess"> {
  readonly sequences: Sequences | null;
  readonly label: string;
  readonly signal: AbortSignal | undefined;
}

/** @throws {UnsupportedError} if a layer is quantized already */
export function expectDense(layers: Iterable<readonly [string, Linear]>): void {
  for (const [name, { weight }] of layers) {
    if (weight instanceof DenseWeight) continue;
    throw new UnsupportedError(
      "quantize",
      `${name} is quantized already (${weight.description}). Quantize the full-precision model, or exclude this layer.`,
      { layer: name },
    );
  }
}

/**
 * Replaces one weight after another, block by block, giving way to the event loop between layers. The jobs belong to a fork, so that
 * stopping half-way harms nobody.
 */
export async function quantizeLayers(
  model: LanguageModel,
  jobs: readonly Job[],
  plan: Plan,
): Promise<LayerQuantization[]> {
  const run = new Run(model, jobs, plan);
  const results = plan.sequences === null ? await run.withoutInputs() : await run.throughBlocks(plan.sequences);
  return jobs.map(({ name }) => results.get(name)!);
}

class Run {
  private readonly work: LayerWork;
  private readonly results = new Map<string, LayerQuantization>();

  constructor(
    private readonly model: LanguageModel,
    private readonly jobs: readonly Job[],
    private readonly plan: Plan,
  ) {
    this.work = new LayerWork("quantize", plan.label, jobs.length, plan.signal);
  }

  async withoutInputs(): Promise<ReadonlyMap<string, LayerQuantization>> {
    for (const job of this.jobs) await this.quantize(job, null, "");
    return this.results;
  }

  async throughBlocks(sequences: Sequences): Promise<ReadonlyMap<string, LayerQuantization>> {
    const { quantizer, signal } = this.plan;
    const flow = quantizer.needs === "inputs" ? quantizer.flow : "exact";
    const waiting = new Map(this.jobs.map((job) => [job.linear, job]));
    const inputs = new BlockInputs(this.model, sequences, this.work.throwIfStopped, signal && { signal });
    try {
      for (const block of this.model.network.blocks) {
        if (waiting.size === 0) break;
        const jobs = linearsIn(block).flatMap((linear) => waiting.get(linear) ?? []);
        for (const { linear } of jobs) waiting.delete(linear);
        const outputs = await this.quantizeBlock(block, jobs, inputs, flow === "exact" && waiting.size > 0);
        if (waiting.size === 0) break;
        inputs.advance(outputs ?? (await inputs.run(block, new Map(), { outputs: true })));
      }
      return this.results;
    } finally {
      inputs.dispose();
    }
  }

  /** @returns the outputs of the block as it was, where they are wanted and were computed on the way */
  private async quantizeBlock(
    block: LanguageModel["network"]["blocks"][number],
    jobs: readonly Job[],
    inputs: BlockInputs,
    wantOutputs: boolean,
  ): Promise<Tensor[] | null> {
    if (jobs.length === 0) return null;
    const { quantizer } = this.plan;
    const options = new Map(jobs.map((job) => [job.linear, job.options]));
    let notes: ReadonlyMap<Linear, string> = new Map();
    if (quantizer.needs === "inputs" && quantizer.prepare !== undefined)
      notes = await quantizer.prepare({ block, options, inputs });
    const sequential = quantizer.needs === "inputs" && jobs.some((job) => quantizer.sequential?.(job.options) ?? false);
    const stages = sequential ? await inStages(block, jobs, inputs) : [jobs];
    let kept: Tensor[] | null = null;
    for (const stage of stages) {
      const linears = stage.map(({ linear }) => linear);
      const { grams, outputs } = await inputs.grams(block, linears, { outputs: wantOutputs });
      if (wantOutputs) kept = outputs;
      try {
        for (const job of stage) await this.quantize(job, grams.get(job.linear)!, notes.get(job.linear) ?? "");
      } catch (error) {
        for (const output of outputs) output.dispose();
        throw error;
      } finally {
        for (const gram of new Set(grams.values())) await gram.dispose();
      }
    }
    return kept;
  }

  private async quantize(job: Job, inputs: InputGram | null, prepared: string): Promise<void> {
    const { name, linear, options } = job;
    const { tensor: own } = linear.weight as DenseWeight;
    const started = performance.now();
    const far = own.device !== "cpu";
    // Quantizers are the CPU's; the codes go where the weight was.
    const weight = far ? toDevice(own, "cpu") : own;
    const { packed: near, note } = await pack(weight, { ...this.plan, options }, inputs);
    near.label(name);
    const milliseconds = performance.now() - started;
    const { weightError, outputError } = errorsOf(near, weight, inputs);
    if (far) weight.dispose();
    const packed = packedOn(near, own.device);
    const hop = far ? "on the CPU" : "";
    this.results.set(name, {
      layer: name,
      format: packed.description,
      bits: packed.bitsPerWeight,
      bytesBefore: weight.bytes,
      bytesAfter: packed.bytes,
      weightError,
      outputError,
      milliseconds,
      note: [prepared, note, hop].filter((part) => part !== "").join(", "),
    });
    linear.replaceWeight(packed);
    await this.work.layerDone();
  }
}

/** Jobs whose layers read the same tensor stand together, in the order in which the block computes them. */
async function inStages(
  block: LanguageModel["network"]["blocks"][number],
  jobs: readonly Job[],
  inputs: BlockInputs,
): Promise<Job[][]> {
  const byLinear = new Map(jobs.map((job) => [job.linear, job]));
  const { grams } = await inputs.grams(block, [...byLinear.keys()], { firstOnly: true });
  const stages = new Map<InputGram, Job[]>();
  for (const [linear, gram] of grams) stages.set(gram, [...(stages.get(gram) ?? []), byLinear.get(linear)!]);
  for (const gram of stages.keys()) await gram.dispose();
  return [...stages.values()];
}

function linearsIn(block: Module): Linear[] {
  return [...block.namedModules()]
    .map(([, module]) => module)
    .filter((module) => "replaceWeight" in module) as Linear[];
}

function errorsOf(packed: PackedWeight, weight: Tensor, inputs: LayerInputs | null) {
  return scope(() => {
    const difference = packed.dequantize();
    addInPlace(difference, weight, -1);
    return relativeErrors(difference, weight, inputs?.gram ?? null);
  });
}
