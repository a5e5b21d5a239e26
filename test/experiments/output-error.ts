import type { Tensor } from "nibble-lab";
import { addInPlace, globalNorm, noGrad, scope, type LanguageModel, type Linear, type LinearAdapter } from "nibble-lab";

/**
 * Σ(X·Ŵᵀ − X·Wᵀ)² / Σ(X·Wᵀ)² of every layer, X being its inputs in the original and Ŵ all that the other model computes there, adapter
 * included: the same inputs for every model, so that errors compare.
 */
export function outputErrors(
  original: LanguageModel,
  other: LanguageModel,
  tokens: Int32Array,
  length: number,
): Map<string, number> {
  using observed = original.fork();
  const layers = new Map(other.linears());
  const meters = new Map<string, Meter>();
  for (const [name, linear] of observed.linears()) {
    const meter = new Meter(linear, layers.get(name)!);
    meters.set(name, meter);
    linear.adapter = meter;
  }
  const whole = Math.floor(tokens.length / length) * length;
  noGrad(() => scope(() => void observed.hidden(tokens.subarray(0, whole), whole / length)));
  return new Map([...meters].map(([name, meter]) => [name, meter.error]));
}

/** Sits where an adapter would, sees the layer's input, and adds nothing. */
class Meter implements LinearAdapter {
  readonly description = "output error";
  private difference = 0;
  private size = 0;

  constructor(
    private readonly exact: Linear,
    private readonly other: Linear,
  ) {}

  get error(): number {
    return this.difference / this.size;
  }
  apply(x: Tensor, y: Tensor): Tensor {
    scope(() => {
      const wanted = this.exact.weight.forward(x);
      const plain = this.other.weight.forward(x);
      const got = this.other.adapter?.apply(x, plain) ?? plain;
      this.size += globalNorm([wanted]) ** 2;
      addInPlace(wanted, got, -1);
      this.difference += globalNorm([wanted]) ** 2;
    });
    return y;
  }
  *namedTensors(): Generator<[string, Tensor]> {}
  share(): Meter {
    return this;
  }
  dispose(): void {}
}
