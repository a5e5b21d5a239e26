import { UnsupportedError } from "../errors.js";
import type { LinearWeight } from "../nn/linear.js";
import { choice, flag } from "../options.js";
import { PackedWeight } from "../quantization/packed-weight.js";
import { ScaleAdapter, scaleFloor } from "../quantization/scale-adapter.js";
import { copy } from "../tensor/kernels.js";
import { keep } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { defineTuner } from "./tuner.js";

const PARAMETRIZATIONS = ["relative", "absolute"] as const;

/** Options of `peqa`. */
export interface PeqaOptions {
  /**
   * What the optimizer moves. "relative" (default): δ in s₀·(1 + δ), for which one learning rate fits all bit widths and
   * groups; "absolute": the scales themselves, as in the paper.
   */
  readonly parametrization?: (typeof PARAMETRIZATIONS)[number];
  /** The zero-points train as well, as real numbers. Default false, as in the paper. */
  readonly zeroPoints?: boolean;
}

const LEARNING_RATES = { relative: 1e-2, absolute: 1e-3 } as const;

/**
 * PEQA: of a quantized model only the scales train (Kim et al. 2023, arXiv 2305.14152).
 *
 *   Ŵ = s·(q − z),  ∂L/∂s_{iγ} = Σ_{j∈γ} ∂L/∂Ŵ_ij·(q_ij − z_iγ),  ∂L/∂z_{iγ} = −s_iγ·Σ_{j∈γ} ∂L/∂Ŵ_ij
 *
 * Codes are never touched and weights never rounded again. What trains is f32 and lies over the stored grid, which many tuned
 * models share. An update that would bring a scale below a thousandth of its start (or of its layer's least, where absolute)
 * ends there.
 */
export const peqa = defineTuner<PeqaOptions>({
  name: "peqa",
  rules: {
    parametrization: choice(PARAMETRIZATIONS, { fallback: "relative" }),
    zeroPoints: flag({ fallback: false }),
  },
  learningRate: ({ parametrization = "relative" }) => LEARNING_RATES[parametrization],
  describe: ({ parametrization = "relative", zeroPoints = false }) =>
    zeroPoints
      ? `the scales (${parametrization}) and zero-points train; codes stay`
      : `the scales train, ${parametrization}; codes and zero-points stay`,
  check: ({ layers }) => {
    for (const [name, { weight }] of layers) refuseAdapter(name, integerWeight(name, weight));
  },
  attach: ({ layers }, { parametrization = "relative", zeroPoints = false }) => {
    for (const [owner, { weight }] of layers) {
      const packed = integerWeight(owner, weight);
      const moved =
        parametrization === "relative"
          ? { delta: keep(Tensor.zeros(packed.scales.shape, { category: "scales", owner, device: packed.device })) }
          : { scales: keep(copy(packed.scales, "scales", owner)) };
      const zeros = zeroPoints ? { zeroPoints: keep(copy(packed.zeroPoints!, "scales", owner)) } : {};
      packed.adapter = new ScaleAdapter({ ...moved, ...zeros }, scaleFloor(packed.scales));
      for (const [, tensor] of packed.adapter.namedTensors()) tensor.requiresGrad = true;
    }
  },
});

function integerWeight(name: string, weight: LinearWeight): PackedWeight {
  if (!(weight instanceof PackedWeight)) {
    throw new UnsupportedError(
      "tune",
      `peqa trains the scales of codes, but ${name} is stored as ${weight.description}. ` +
        `Quantize the model first, for example with quantize(model, { method: "rtn", bits: 4 }), or choose other targets.`,
      { layer: name },
    );
  }
  if (weight.zeroPoints !== undefined) return weight;
  throw new UnsupportedError(
    "tune",
    `peqa needs integer codes, but ${name} is stored as ${weight.format}. Quantize with "rtn" instead, or tune this model with { method: "lora" }.`,
    { layer: name, format: weight.format },
  );
}

function refuseAdapter(name: string, { adapter }: PackedWeight): void {
  if (adapter === null) return;
  throw new UnsupportedError(
    "tune",
    `${name} has ${adapter.description} already. Train them on, tune a model without them, or choose other targets.`,
    { layer: name },
  );
}
