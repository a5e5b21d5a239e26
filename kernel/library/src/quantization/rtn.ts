import { quantizeInteger } from "../tensor/quantize.js";
import { checkGroup, describeGrid, gridOf, packedIntegers, uniformGridRules, type UniformGridOptions } from "./grid.js";
import { defineQuantizer } from "./quantizer.js";

/** Options of `rtn`. */
export type RtnOptions = UniformGridOptions;

/**
 * Round to nearest on a uniform grid, per output channel or per group of inputs.
 *
 *   s = (max − min)/(2^b − 1),  z = round(−min/s),  q = clamp(round(W/s) + z, 0, 2^b − 1),  Ŵ = s·(q − z)
 *
 * The range always includes 0; ties go to even; a group of one value is kept exactly. Symmetric: z = 2^(b−1) over ±max|W|.
 * (The convention of GPTQ, arXiv 2210.17323, whose MSE search shrinks the range: `search`.)
 */
export const rtn = defineQuantizer<RtnOptions>({
  name: "rtn",
  needs: "weights",
  rules: uniformGridRules,
  describe: (options) => {
    const { width, span } = describeGrid(options);
    return `${width}round to nearest, ${span}`;
  },
  checkLayers: (layers, { group }) => checkGroup(layers, group),
  quantize(weight, options) {
    const shape = weight.shape as [number, number];
    return packedIntegers(shape, options, quantizeInteger(weight, gridOf(options, shape[1])));
  },
});
