import { setImmediate } from "node:timers/promises";
import type { LanguageModel } from "../models/model.js";
import type { LinearAdapter, LinearWeight } from "../nn/linear.js";
import { addInPlace, globalNorm } from "../tensor/kernels.js";
import type { Precision } from "../tensor/dtype.js";
import { noGrad, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { throwIfStopped } from "./layers.js";

/** Tokens of one calibration sequence, as far as the model's positions allow. */
const SEQUENCE = 128;

/**
 * √(Σ(X·Ŵᵀ − X·Wᵀ)² / Σ(X·Wᵀ)²) of every layer, X being its inputs in the full-precision model: one pass, in which each
 * layer also computes with its quantized weight. No input is stored.
 *
 * @param tokens calibration ids; read in sequences of at most 128
 */
export async function outputErrors(
  model: LanguageModel,
  packed: ReadonlyMap<string, LinearWeight>,
  tokens: Int32Array,
  signal: AbortSignal | undefined,
): Promise<Map<string, number>> {
  using observed = model.fork();
  const meters = new Map<string, OutputMeter>();
  for (const [name, linear] of observed.linears()) {
    const quantized = packed.get(name);
    if (quantized === undefined) continue;
    const meter = new OutputMeter(linear.weight, quantized, linear.adapter);
    meters.set(name, meter);
    linear.adapter = meter;
  }
  const length = Math.min(SEQUENCE, model.config.maxPositions);
  for (let start = 0; start < tokens.length; start += length) {
    const sequence = tokens.subarray(start, Math.min(tokens.length, start + length));
    noGrad(() => scope(() => void observed.hidden(sequence, 1, null, "quantize")));
    await setImmediate();
    throwIfStopped(signal);
  }
  return new Map([...meters].map(([name, meter]) => [name, meter.error]));
}

/** Sits where an adapter would, sees the layer's input, and adds nothing. */
class OutputMeter implements LinearAdapter {
  readonly description = "output error";
  private difference = 0;
  private size = 0;

  constructor(
    private readonly weight: LinearWeight,
    private readonly quantized: LinearWeight,
    private readonly inner: LinearAdapter | null,
  ) {}

  get error(): number {
    return this.difference === 0 ? 0 : Math.sqrt(this.difference / this.size);
  }

  apply(x: Tensor, y: Tensor, precision?: Precision): Tensor {
    scope(() => {
      const exact = this.weight.forward(x, precision);
      const rounded = this.quantized.forward(x, precision);
      this.size += globalNorm([exact]) ** 2;
      addInPlace(rounded, exact, -1);
      this.difference += globalNorm([rounded]) ** 2;
    });
    return this.inner === null ? y : this.inner.apply(x, y, precision);
  }

  *namedTensors(): Generator<[string, Tensor]> {
    if (this.inner !== null) yield* this.inner.namedTensors();
  }
  share(): OutputMeter {
    return this;
  }
  dispose(): void {
    this.inner?.dispose();
  }
}
