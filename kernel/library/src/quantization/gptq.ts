import { flag, integer, real } from "../options.js";
import { gptqFactor, quantizeGptq } from "../tensor/quantize.js";
import { checkGroup, describeGrid, gridOf, packedIntegers, uniformGridRules, type UniformGridOptions } from "./grid.js";
import { defineQuantizer } from "./quantizer.js";

/** Options of `gptq`. */
export interface GptqOptions extends UniformGridOptions {
  /**
   * λ ÷ the mean of H's diagonal, added to the diagonal. Doubled until H + λI is positive definite; the result says what was
   * used. Default 0.01, the paper's.
   */
  readonly damping?: number;
  /** Columns of large inputs first. Implies `staticGroups`, since a group's inputs stand together in what is stored. Default false. */
  readonly actOrder?: boolean;
  /** Fit the grids of all groups to the weight as it came, not as it stands when a group begins. Default false. */
  readonly staticGroups?: boolean;
  /** Within a block, the inputs of each layer are those behind the quantized layers before it. Default false. */
  readonly trueSequential?: boolean;
  /** Columns between two updates of all that follow; changes only speed. Default 128. */
  readonly block?: number;
}

/**
 * GPTQ: columns are quantized one after another, and each column's error is pushed onto those not yet fixed
 * (Frantar et al. 2022, arXiv 2210.17323, Algorithm 1).
 *
 *   e = (w_i − quant(w_i)) / U_ii,   W_{:,i:} ← W_{:,i:} − e·U_{i,i:},   UᵀU = (H + λI)⁻¹,   H = XᵀX
 *
 * H comes from the calibration tokens, behind the quantized blocks before. An input that is always 0 gets weight 0. A group's grid is
 * fitted to weights that have had every update (the released code fits it a little earlier when a group is shorter than 128).
 */
export const gptq = defineQuantizer<GptqOptions>({
  name: "gptq",
  needs: "inputs",
  flow: "quantized",
  rules: {
    ...uniformGridRules,
    damping: real({ from: 1e-6, to: 1, fallback: 0.01 }),
    actOrder: flag({ fallback: false }),
    staticGroups: flag({ fallback: false }),
    trueSequential: flag({ fallback: false }),
    block: integer({ from: 1, fallback: 128 }),
  },
  describe: (options) => {
    const { width, span } = describeGrid(options);
    const { actOrder, staticGroups, trueSequential, group } = options;
    const parts = [
      `${width}GPTQ, ${span}`,
      ...(actOrder ? ["act-order"] : []),
      ...((actOrder || staticGroups) && group !== "channel" ? ["static groups"] : []),
      ...(trueSequential ? ["true-sequential"] : []),
    ];
    return parts.join(", ");
  },
  checkLayers: (layers, { group }) => checkGroup(layers, group),
  sequential: ({ trueSequential }) => trueSequential,
  async quantize(weight, options, { gram, share, job }) {
    const { damping, actOrder, block } = options;
    const shape = weight.shape as [number, number];
    const factor = await share(`gptq ${damping} ${actOrder}`, () => gptqFactor(gram, { damping, actOrder }, job));
    const grid = gridOf(options, shape[1]);
    const staticGroups = options.staticGroups || actOrder;
    const codes = await quantizeGptq(weight, gram, factor, { grid, staticGroups, block }, job);
    return { packed: packedIntegers(shape, options, codes), note: `damping ${Number(factor.damping.toPrecision(3))}` };
  },
});
