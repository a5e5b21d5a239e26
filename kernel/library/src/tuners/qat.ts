import { UnsupportedError } from "../errors.js";
import { DenseWeight, type LinearWeight } from "../nn/linear.js";
import { Sharing } from "../nn/module.js";
import { flag } from "../options.js";
import { PackedWeight } from "../quantization/packed-weight.js";
import { rtn, type RtnOptions } from "../quantization/rtn.js";
import { scaleFloor } from "../quantization/scale-adapter.js";
import { clampInPlace, copy } from "../tensor/kernels.js";
import { fakeQuant, linear } from "../tensor/ops.js";
import { codesOnGrid, type PackedFormat } from "../tensor/packed.js";
import type { Precision } from "../tensor/dtype.js";
import { keep, noGrad, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineTuner } from "./tuner.js";

/** Options of `qat`. */
export interface QatOptions extends Pick<RtnOptions, "bits" | "group" | "symmetric"> {
  /** The zero-points train as well; they are rounded where they are used. Default false. */
  readonly zeroPoints?: boolean;
}

const LEARNING_RATE = 1e-4;

/**
 * Quantization-aware training: weights and scales train through the rounding (LSQ, Esser et al. 2020, arXiv 1902.08153).
 *
 *   Ŵ = s·(clamp(round(W/s) + z, 0, 2^b − 1) − z)
 *   inside the grid:  ∂Ŵ/∂W = 1,  ∂Ŵ/∂s = round(W/s) − W/s,  ∂Ŵ/∂z = 0;   outside:  0,  q − z,  −s
 *
 * Starts on round-to-nearest's grid. The gradient of s is not scaled by 1/√(N·q_max) as in LSQ: Adam divides such factors out.
 */
export const qat = defineTuner<QatOptions>({
  name: "qat",
  rules: {
    bits: rtn.rules.bits,
    group: rtn.rules.group,
    symmetric: rtn.rules.symmetric,
    zeroPoints: flag({ fallback: false }),
  },
  learningRate: () => LEARNING_RATE,
  describe: (options) => `weights and scales train through ${rtn.describe(gridOptions(options))}`,
  check: ({ layers }, options) => {
    for (const [name, { weight }] of layers) denseTensor(name, weight);
    const shapes = layers.map(([name, { rows, columns }]) => ({ name, rows, columns }));
    rtn.checkLayers(shapes, gridOptions(options));
  },
  attach: ({ layers }, options) => {
    for (const [owner, linear] of layers) {
      const tensor = denseTensor(owner, linear.weight);
      const start = rtn.quantize(tensor, gridOptions(options));
      start.codes.dispose();
      const weight = new FakeQuantizedWeight(tensor, keep(start.scales), keep(start.zeroPoints!), start);
      for (const [, trained] of weight.namedTensors()) trained.label(trained === tensor ? "weights" : "scales", owner);
      linear.weight = weight;
      tensor.requiresGrad = true;
      weight.scales.requiresGrad = true;
      weight.zeroPoints.requiresGrad = options.zeroPoints ?? false;
    }
  },
});

function gridOptions({ bits, group, symmetric }: QatOptions): Required<RtnOptions> {
  const { rules } = rtn;
  const defaults = Object.fromEntries(Object.entries(rules).map(([name, { fallback }]) => [name, fallback]));
  return {
    ...(defaults as unknown as Required<RtnOptions>),
    ...(bits !== undefined && { bits }),
    ...(group !== undefined && { group }),
    ...(symmetric !== undefined && { symmetric }),
  };
}

function denseTensor(name: string, weight: LinearWeight): Tensor {
  if (weight instanceof DenseWeight) return weight.tensor;
  throw new UnsupportedError(
    "tune",
    `qat trains dense weights through their rounding, but ${name} is stored as ${weight.description}. ` +
      `Tune the full-precision model, or use { method: "peqa" }.`,
    { layer: name },
  );
}

/** A dense weight that is rounded to its grid at each use. */
export class FakeQuantizedWeight implements LinearWeight {
  readonly format: PackedFormat;
  readonly group: number;
  private readonly floor: number;

  /** @param tensor [out, in] f32 · @param scales, zeroPoints [out, groups] f32; all belong to the weight from here on */
  constructor(
    readonly tensor: Tensor,
    readonly scales: Tensor,
    readonly zeroPoints: Tensor,
    { format, group }: { readonly format: PackedFormat; readonly group: number },
    floor = scaleFloor(scales),
  ) {
    this.format = format;
    this.group = group;
    this.floor = floor;
  }

  get rows(): number {
    return this.tensor.shape[0]!;
  }
  get columns(): number {
    return this.tensor.shape[1]!;
  }
  get device(): string {
    return this.tensor.device;
  }
  get bytes(): number {
    return this.tensor.bytes + this.scales.bytes + this.zeroPoints.bytes;
  }
  get bits(): number {
    return Number(this.format.replace("int", ""));
  }
  get description(): string {
    return `f32 rounded to ${this.format}, ${this.group === 0 ? "a scale a row" : `a scale for ${this.group}`}`;
  }

  forward(x: Tensor, precision: Precision = "f32", bias: Tensor | null = null): Tensor {
    return linear(x, this.rounded(), { precision, ...(bias && { bias }) });
  }
  dequantize(): Tensor {
    return noGrad(() => copy(this.rounded(), "workspace", "dequantize"));
  }
  /** The codes as they are now: the packed weight computes the same, bit for bit what `dequantize` gives. */
  packed(): PackedWeight {
    return noGrad(() =>
      scope(() => {
        const { format, rows, columns, group, bits, tensor, scales, zeroPoints } = this;
        const owner = tensor.owner;
        const whole = Float32Array.from(zeroPoints.arraySync(), (z) =>
          roundEven(Math.min(Math.max(z, 0), 2 ** bits - 1)),
        );
        const zeros = copy(zeroPoints, "scales", owner);
        zeros.write(whole);
        const codes = codesOnGrid(tensor, scales, zeroPoints, bits, group);
        const own = { codes, scales: copy(scales, "scales", owner), zeroPoints: zeros };
        return new PackedWeight({ format, rows, columns, group, ...own }).label(owner);
      }),
    );
  }
  constrain(): void {
    clampInPlace(this.scales, this.floor, Infinity);
  }

  *namedTensors(): Generator<[string, Tensor]> {
    yield ["", this.tensor];
    yield ["scales", this.scales];
    yield ["zero_points", this.zeroPoints];
  }
  share(shared = new Sharing()): FakeQuantizedWeight {
    const [tensor, scales, zeros] = [this.tensor, this.scales, this.zeroPoints].map((one) => shared.tensor(one));
    return new FakeQuantizedWeight(tensor!, scales!, zeros!, this, this.floor);
  }
  dispose(): void {
    for (const [, tensor] of this.namedTensors()) tensor.dispose();
  }

  private rounded(): Tensor {
    const { tensor, scales, zeroPoints, bits, group } = this;
    return fakeQuant(tensor, scales, zeroPoints, { bits, group });
  }
}

/** To the nearest whole number, ties to even. */
function roundEven(value: number): number {
  const down = Math.floor(value);
  const part = value - down;
  return part > 0.5 || (part === 0.5 && down % 2 !== 0) ? down + 1 : down;
}
