import { setImmediate } from "node:timers/promises";
import { events } from "../events.js";
import { InterruptedError, throwIfAborted, UnsupportedError } from "../errors.js";
import { DenseWeight, type Linear } from "../nn/linear.js";
import { isInterrupted } from "../tensor/device.js";
import { addInPlace, globalNorm } from "../tensor/kernels.js";
import type { PackedMatrix } from "../tensor/packed.js";
import { keep, noGrad, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { PackedWeight } from "./packed-weight.js";
import type { Layer } from "./quantizer.js";
import type { LayerQuantization } from "./report.js";

/** A layer of the model that is being quantized, with the f32 weight that it had. */
export interface Job extends Layer {
  readonly linear: Linear;
  readonly weight: Tensor;
}

/** The chosen layers of a model as jobs. @throws {UnsupportedError} if one is quantized already */
export function jobsOf(chosen: Iterable<readonly [string, Linear]>): Job[] {
  return Array.from(chosen, ([name, linear]) => {
    if (linear.weight instanceof DenseWeight) {
      return { name, linear, weight: linear.weight.tensor, rows: linear.rows, columns: linear.columns };
    }
    throw new UnsupportedError(
      "quantize",
      `${name} is quantized already (${linear.weight.description}). Quantize the full-precision model, or exclude this layer.`,
      { layer: name },
    );
  });
}

/**
 * Replaces one weight after another, giving way to the event loop between layers. The jobs belong to a fork, so that
 * stopping half-way harms nobody.
 */
export async function quantizeLayers(
  jobs: readonly Job[],
  pack: (weight: Tensor) => PackedMatrix,
  progress: { readonly label: string; readonly signal: AbortSignal | undefined },
): Promise<LayerQuantization[]> {
  const id = `${progress.label} ${++runs}`;
  const results: LayerQuantization[] = [];
  for (const job of jobs) {
    results.push(noGrad(() => quantizeLayer(job, pack)));
    events.emit("progress", { id, label: progress.label, done: results.length, total: jobs.length, unit: "layers" });
    await setImmediate();
    throwIfStopped(progress.signal);
  }
  return results;
}

let runs = 0;

export function throwIfStopped(signal: AbortSignal | undefined): void {
  throwIfAborted("quantize", signal);
  if (isInterrupted()) throw new InterruptedError("quantize", "Stopped. The model is as it was.");
}

function quantizeLayer({ name, linear, weight }: Job, pack: (weight: Tensor) => PackedMatrix): LayerQuantization {
  const started = performance.now();
  const packed = scope(() => new PackedWeight(keep(pack(weight)))).label(name);
  const milliseconds = performance.now() - started;
  const result = {
    layer: name,
    format: packed.description,
    bits: packed.bitsPerWeight,
    bytesBefore: weight.bytes,
    bytesAfter: packed.bytes,
    weightError: scope(() => relativeError(packed.dequantize(), weight)),
    outputError: null,
    milliseconds,
  };
  linear.replaceWeight(packed);
  return result;
}

/** √(Σ(a − b)² / Σb²); `a` is overwritten. 0 where both are all zeros. */
export function relativeError(a: Tensor, b: Tensor): number {
  const size = globalNorm([b]);
  addInPlace(a, b, -1);
  const difference = globalNorm([a]);
  return difference === 0 ? 0 : difference / size;
}
