import { integer, real } from "../options.js";
import { quantizeHqq } from "../tensor/quantize.js";
import { checkGroup, describeGroup, groupedRules, inputsOf, packedIntegers, type GroupedOptions } from "./grid.js";
import { defineQuantizer } from "./quantizer.js";

/** Options of `hqq`. */
export interface HqqOptions extends GroupedOptions {
  /** The norm of the error, more than 0 and at most 1. Default 0.7. */
  readonly p?: number;
  /** Times that the zero-point is improved. Default 20. */
  readonly iterations?: number;
}

/**
 * Half-quadratic quantization (Badri and Shaji 2023, "Half-Quadratic Quantization of Large Machine Learning Models"): the scale
 * is min-max, the zero-point, which need not be whole, is chosen for a heavy-tailed error. No calibration.
 *
 *   min_z Σ|W − s·(q − z)|^p:   e ← shrink(W − Ŵ, β),   z ← mean(q − (W − e)/s),   β ← 1.01·β  (from 10)
 *   shrink(x, β) = sign(x)·max(|x| − |x|^(p−1)/β, 0)
 *
 * Each group keeps the zero-point of least mean |W − Ŵ| that it met; the first one is min-max's, so none gets worse by that measure.
 */
export const hqq = defineQuantizer<HqqOptions>({
  name: "hqq",
  needs: "weights",
  rules: {
    ...groupedRules,
    p: real({ from: 0.1, to: 1, fallback: 0.7 }),
    iterations: integer({ from: 0, to: 1000, fallback: 20 }),
  },
  describe: ({ bits, group, p }) => `${bits}-bit half-quadratic (p = ${p}), ${describeGroup(group)}`,
  checkLayers: (layers, { group }) => checkGroup(layers, group),
  quantize(weight, { bits, group, p, iterations }) {
    const shape = weight.shape as [number, number];
    const codes = quantizeHqq(weight, { bits, group: inputsOf(group, shape[1]), p, iterations });
    return packedIntegers(shape, { bits, group }, codes);
  },
});
