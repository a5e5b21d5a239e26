import { UnsupportedError } from "../errors.js";
import type { LinearWeight } from "../nn/linear.js";
import { choice } from "../options.js";
import { PackedWeight } from "../quantization/packed-weight.js";
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
}

const LEARNING_RATES = { relative: 1e-2, absolute: 1e-3 } as const;

/**
 * PEQA: of a quantized model only the scales train (Kim et al. 2023, arXiv 2305.14152).
 *
 *   Ŵ = (s₀ + Δs)·(q − z),  ∂L/∂s_{iγ} = Σ_{j∈γ} ∂L/∂Ŵ_ij·(q_ij − z_iγ)
 *
 * Codes q and zero-points z are never touched and weights never rounded again. Scales are f32 and become this model's own,
 * so that models that share them stay as they are.
 */
export const peqa = defineTuner<PeqaOptions>({
  name: "peqa",
  rules: { parametrization: choice(PARAMETRIZATIONS, { fallback: "relative" }) },
  learningRate: ({ parametrization = "relative" }) => LEARNING_RATES[parametrization],
  describe: ({ parametrization = "relative" }) => `the scales train, ${parametrization}; codes and zero-points stay`,
  check: ({ layers }) => {
    for (const [name, { weight }] of layers) scalesOf(name, weight);
  },
  attach: ({ layers }, { parametrization = "relative" }) => {
    for (const [name, { weight }] of layers) {
      const packed = scalesOf(name, weight);
      if (parametrization === "absolute") {
        packed.merge();
        packed.scales.requiresGrad = true;
        continue;
      }
      packed.delta ??= keep(Tensor.zeros(packed.scales.shape, { category: "scales", owner: name }));
      packed.delta.requiresGrad = true;
    }
  },
});

function scalesOf(name: string, weight: LinearWeight): PackedWeight {
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
