import type { Attention } from "../nn/attention.js";
import { DenseWeight, type Linear } from "../nn/linear.js";
import { flag, integer } from "../options.js";
import { dequantize } from "../tensor/packed.js";
import { addInPlace, globalNorm } from "../tensor/kernels.js";
import { clipWeights, quantizeInteger, scaleColumns } from "../tensor/quantize.js";
import { keep, scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { checkGroup, describeGrid, gridOf, packedIntegers, symmetricRules, type SymmetricOptions } from "./grid.js";
import { defineQuantizer, type BlockContext } from "./quantizer.js";

/** Options of `awq`. */
export interface AwqOptions extends SymmetricOptions {
  /** How many exponents of the scales are tried: 0, 1/ratios, … Default 20. 1 leaves the scales alone. */
  readonly ratios?: number;
  /** Search for the share of each group's largest magnitude to clamp to, for all layers but queries and keys. Default true. */
  readonly clip?: boolean;
}

const SMALLEST_SCALE = 1e-4; // an input that is always 0 still has a scale

/**
 * AWQ: inputs that are large get finer steps, by a scale that the layer before takes back (Lin et al. 2023, arXiv 2306.00978).
 *
 *   s = mean|X|^r / √(max·min),   r = argmin over {0, 1/20, … 19/20} of ‖f(X; quant(W·diag(s))·diag(s)⁻¹) − f(X; W)‖²
 *
 * f is the attention for queries, keys and values, the MLP for gate and up, the layer itself for output and down projection. diag(s)⁻¹ goes
 * into the norm before, the rows of the value projection (its scales averaged over the heads that share a value head) or of the up projection.
 * Then each group's magnitude is clamped where that costs less: argmin over {1, .95, … .55} of Δ·H_gg·Δᵀ.
 * r is chosen on the first calibration sequences (up to 2048 tokens), H has all; both come from the unquantized blocks before.
 */
export const awq = defineQuantizer<AwqOptions>({
  name: "awq",
  needs: "inputs",
  flow: "exact",
  rules: { ...symmetricRules, ratios: integer({ from: 1, to: 1000, fallback: 20 }), clip: flag({ fallback: true }) },
  describe: (options) => {
    const { width, span } = describeGrid({ ...options, search: "minmax" });
    return `${width}AWQ, ${span}${options.clip ? "" : ", no clipping"}`;
  },
  checkLayers: (layers, { group }) => checkGroup(layers, group),
  async prepare(context) {
    const notes = new Map<Linear, string>();
    // All scales are found in the block as it came, and folded afterwards.
    const sample = await sampleInputs(context);
    const found = sites(context, sample).map((site) => ({ site, ...searchScales(site, context) }));
    for (const { site, ratio, scales } of found) {
      for (const layer of site.layers) notes.set(layer, `ratio ${Number(ratio.toFixed(3))}`);
      if (ratio > 0) fold(site, scales);
    }
    for (const x of sample.values()) x.dispose();
    return notes;
  },
  async quantize(weight, options, { gram, job }) {
    const shape = weight.shape as [number, number];
    const grid = gridOf({ ...options, search: "minmax" }, shape[1]);
    const clipped = options.clip ? await clipWeights(weight, gram, grid, job) : null;
    const packed = packedIntegers(shape, options, quantizeInteger(clipped ?? weight, grid));
    clipped?.dispose();
    return { packed, note: "" };
  },
});

type Context = BlockContext<AwqOptions>;

/** Layers that read one input, and what takes their scales back. */
interface Site {
  readonly layers: readonly Linear[];
  /** [n, in] */
  readonly x: Tensor;
  /** What the block makes of that input next. */
  readonly output: () => Tensor;
  /** Numbers whose division by the scales of the same index undoes them: a norm's weight, a layer's rows. */
  readonly fold: (scales: Float32Array) => void;
  /** How many neighbouring groups of `width` inputs must have equal scales: the heads that share a value head. */
  readonly repeat?: { readonly times: number; readonly width: number };
}

async function sampleInputs({ block, inputs }: Context): Promise<Map<Linear, Tensor>> {
  const { q_proj, o_proj } = block.attention;
  const { gate_proj, down_proj } = block.mlp;
  const sample = new Map<Linear, Tensor>();
  const see = (linear: Linear) => [linear, (x: Tensor) => void sample.set(linear, keep(x.alias()))] as const;
  await inputs.run(block, new Map([q_proj, o_proj, gate_proj, down_proj].map(see)), { firstOnly: true });
  return sample;
}

/** The places of a block where at least one layer will be quantized and all are dense. */
function sites({ block, options, inputs }: Context, sample: ReadonlyMap<Linear, Tensor>): Site[] {
  const { attention, mlp } = block;
  const { q_proj, k_proj, v_proj, o_proj } = attention;
  const { gate_proj, up_proj, down_proj } = mlp;
  const { pass } = inputs.first;
  const x = (linear: Linear) => sample.get(linear)!;
  const all: Site[] = [
    {
      layers: [q_proj, k_proj, v_proj],
      x: x(q_proj),
      output: () => attention.forward(x(q_proj), pass),
      fold: (scales) => divide(block.attentionNorm.weight, scales, 1),
    },
    {
      layers: [o_proj],
      x: x(o_proj),
      output: () => o_proj.forward(x(o_proj)),
      fold: (scales) => divideRows(v_proj, valueHeads(scales, attention)),
      repeat: {
        times: attention.geometry.heads / attention.geometry.kvHeads,
        width: o_proj.columns / attention.geometry.heads,
      },
    },
    {
      layers: [gate_proj, up_proj],
      x: x(gate_proj),
      output: () => mlp.forward(x(gate_proj)),
      fold: (scales) => divide(block.mlpNorm.weight, scales, 1),
    },
    {
      layers: [down_proj],
      x: x(down_proj),
      output: () => down_proj.forward(x(down_proj)),
      fold: (scales) => divideRows(up_proj, scales),
    },
  ];
  const dense = (linear: Linear) => linear.weight instanceof DenseWeight;
  return all.filter(
    ({ layers }) => layers.some((layer) => options.has(layer)) && [...layers, v_proj, up_proj].every(dense),
  );
}

/** The exponent, and its scales, at which quantizing the site's layers changes its output least. */
function searchScales(site: Site, { options }: Context): { ratio: number; scales: Float32Array } {
  const means = meanMagnitudes(site);
  const chosen = site.layers.filter((layer) => options.has(layer));
  const { ratios } = options.get(chosen[0]!)!;
  return scope(() => {
    const exact = site.output();
    let best = { ratio: 0, scales: scalesOf(means, 0), error: Infinity };
    for (let step = 0; step < ratios; step++) {
      const ratio = step / ratios;
      const scales = scalesOf(means, ratio);
      const error = scope(() => errorWith(site, chosen, scales, options, exact));
      if (error < best.error) best = { ratio, scales, error };
    }
    return best;
  });
}

function errorWith(
  site: Site,
  chosen: readonly Linear[],
  scales: Float32Array,
  options: Context["options"],
  exact: Tensor,
): number {
  const factors = Tensor.from(scales);
  const back = Tensor.from(scales.map((scale) => 1 / scale));
  const before = chosen.map((layer) => layer.weight);
  try {
    for (const layer of chosen) {
      const { tensor } = layer.weight as DenseWeight;
      const own = options.get(layer)!;
      const shape = tensor.shape as [number, number];
      const codes = quantizeInteger(scaleColumns(tensor, factors), gridOf({ ...own, search: "minmax" }, shape[1]));
      layer.weight = new DenseWeight(scaleColumns(dequantize(packedIntegers(shape, own, codes)), back));
    }
    const output = site.output();
    addInPlace(output, exact, -1);
    return globalNorm([output]);
  } finally {
    for (const [i, layer] of chosen.entries()) layer.weight = before[i]!;
  }
}

/** mean|x| of each input, averaged over the inputs that must have one scale. */
function meanMagnitudes({ x, repeat }: Site): Float64Array {
  const values = x.arraySync();
  const [rows, columns] = x.shape as [number, number];
  const means = new Float64Array(columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) means[column]! += Math.abs(values[row * columns + column]!) / rows;
  if (repeat === undefined || repeat.times === 1) return means;
  const { times, width } = repeat;
  return means.map((_, column) => {
    const first = Math.floor(column / (times * width)) * times * width + (column % width);
    let sum = 0;
    for (let head = 0; head < times; head++) sum += means[first + head * width]!;
    return sum / times;
  });
}

function scalesOf(means: Float64Array, ratio: number): Float32Array {
  const powers = means.map((mean) => Math.max(mean ** ratio, SMALLEST_SCALE));
  const middle = Math.sqrt(powers.reduce((a, b) => Math.max(a, b)) * powers.reduce((a, b) => Math.min(a, b)));
  return Float32Array.from(powers, (power) => power / middle);
}

/** W ← W·diag(s), and s taken back where the input comes from. */
function fold({ layers, fold }: Site, scales: Float32Array): void {
  scope(() => {
    const factors = Tensor.from(scales);
    for (const layer of layers) {
      const { tensor } = layer.weight as DenseWeight;
      const scaled = keep(scaleColumns(tensor, factors)).label("weights", tensor.owner);
      layer.replaceWeight(new DenseWeight(scaled));
    }
    fold(scales);
  });
}

/** The scales of value heads, one for all heads that share it. */
function valueHeads(scales: Float32Array, { geometry: { heads, kvHeads } }: Attention): Float32Array {
  const width = scales.length / heads;
  return Float32Array.from({ length: kvHeads * width }, (_, i) => {
    const head = Math.floor(i / width) * (heads / kvHeads);
    return scales[head * width + (i % width)]!;
  });
}

function divideRows(linear: Linear, scales: Float32Array): void {
  divide((linear.weight as DenseWeight).tensor, scales, linear.columns);
  if (linear.bias !== null) divide(linear.bias, scales, 1);
}

/** Each run of `width` numbers by its scale, in bytes of its own. */
function divide(tensor: Tensor, scales: Float32Array, width: number): void {
  const values = Float32Array.from(tensor.arraySync(), (value, i) => value / scales[Math.floor(i / width)]!);
  tensor.own().write(values);
}
