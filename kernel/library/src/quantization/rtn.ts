import { ShapeError } from "../errors.js";
import { choice, custom, flag } from "../options.js";
import { quantizeInteger } from "../tensor/packed.js";
import { defineQuantizer, type Layer } from "./quantizer.js";

const BITS = [2, 3, 4, 8] as const;
const FORMATS = { 2: "int2", 3: "int3", 4: "int4", 8: "int8" } as const;

/** Options of `rtn`. */
export interface RtnOptions {
  /** Bits of a code: 2, 3, 4 or 8. Default 4. */
  readonly bits?: (typeof BITS)[number];
  /** Inputs that share a scale; must divide every row. Default "channel": the whole row. */
  readonly group?: number | "channel";
  /** The grid is centred on 0 and the zero-point fixed. Default false. */
  readonly symmetric?: boolean;
}

/**
 * Round to nearest on a uniform grid, per output channel or per group of inputs.
 *
 *   s = (max − min)/(2^b − 1),  z = round(−min/s),  q = clamp(round(W/s) + z, 0, 2^b − 1),  Ŵ = s·(q − z)
 *
 * The range always includes 0; ties go to even; a group of one value is kept exactly. Symmetric: z = 2^(b−1) over ±max|W|.
 * (The convention of GPTQ, arXiv 2210.17323.)
 */
export const rtn = defineQuantizer<RtnOptions>({
  name: "rtn",
  needs: "weights",
  rules: {
    bits: choice(BITS, { fallback: 4 }),
    group: custom<number | "channel">('"channel" or a whole number of at least 8', isGroup, "channel"),
    symmetric: flag({ fallback: false }),
  },
  describe: ({ bits, group, symmetric }) =>
    `${bits}-bit ${symmetric ? "symmetric " : ""}round to nearest, a scale ${group === "channel" ? "a row" : `for ${group} inputs`}`,
  checkLayers: (layers, { group }) => checkGroup(layers, group),
  quantize(weight, { bits, group, symmetric }) {
    const [rows, columns] = weight.shape as [number, number];
    const inputs = group === "channel" || group === columns ? 0 : group;
    return { format: FORMATS[bits], rows, columns, group: inputs, ...quantizeInteger(weight, bits, inputs, symmetric) };
  },
});

function isGroup(value: unknown): boolean {
  return value === "channel" || (Number.isSafeInteger(value) && (value as number) >= 8);
}

function checkGroup(layers: readonly Layer[], group: number | "channel"): void {
  if (group === "channel") return;
  const misfit = layers.find(({ columns }) => columns % group !== 0);
  if (misfit === undefined) return;
  const shared = layers.map(({ columns }) => columns).reduce(greatestCommonDivisor);
  const fitting = Array.from({ length: shared }, (_, i) => i + 1).filter((size) => size >= 8 && shared % size === 0);
  throw new ShapeError(
    "quantize",
    `group is ${group}, but the rows of ${misfit.name} have ${misfit.columns} inputs. ` +
      `Allowed for all chosen layers: ${[...fitting, '"channel"'].join(", ")}.`,
    { group, layer: misfit.name, columns: misfit.columns, allowed: fitting },
  );
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
