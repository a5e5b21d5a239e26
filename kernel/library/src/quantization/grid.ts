import { ShapeError } from "../errors.js";
import { choice, custom } from "../options.js";
import type { GridOptions, IntegerCodes } from "../tensor/quantize.js";
import type { PackedMatrix } from "../tensor/packed.js";
import type { Layer } from "./quantizer.js";

// What the quantizers on integer grids share: bits, groups, how a grid is fitted.

const FORMATS = { 2: "int2", 3: "int3", 4: "int4", 5: "int5", 6: "int6", 8: "int8" } as const;
export type Bits = keyof typeof FORMATS;
/** Widths of a code. */
export const BITS = Object.keys(FORMATS).map(Number) as Bits[];

export type Group = number | "channel";
export type Symmetric = boolean | "restricted";
export const SEARCHES = ["minmax", "mse"] as const;
export type Search = (typeof SEARCHES)[number];

/** Options of every quantizer whose codes are levels of a grid. */
export interface GroupedOptions {
  /** Bits of a code: 2, 3, 4, 5, 6 or 8. Default 4. */
  readonly bits?: Bits;
  /** Inputs that share a scale; must divide every row. Default "channel": the whole row. */
  readonly group?: Group;
}
export interface SymmetricOptions extends GroupedOptions {
  /**
   * true: all 2^b levels over ±max|W|, the zero-point fixed at 2^(b−1). "restricted": one level less, so that they lie evenly
   * around 0. Default false: from the smallest weight to the largest.
   */
  readonly symmetric?: Symmetric;
}
export interface UniformGridOptions extends SymmetricOptions {
  /** "minmax" (default): the grid covers the range. "mse": of the range times 1.00, 0.99, … 0.21 the one of least squared error. */
  readonly search?: Search;
}

export const groupedRules = {
  bits: choice(BITS, { fallback: 4 as Bits }),
  group: custom<Group>('"channel" or a whole number of at least 8', isGroup, "channel"),
};
export const symmetricRules = {
  ...groupedRules,
  symmetric: custom<Symmetric>(
    'true, false or "restricted"',
    (value) => typeof value === "boolean" || value === "restricted",
    false,
  ),
};
export const uniformGridRules = {
  ...symmetricRules,
  search: choice(SEARCHES, { fallback: "minmax" }),
};

/** The grid of a weight with rows of `columns` inputs, as the engine takes it. */
export function gridOf(
  { bits, group, symmetric, search }: Required<UniformGridOptions>,
  columns: number,
): Required<GridOptions> {
  const symmetry = symmetric === "restricted" ? "restricted" : symmetric ? "symmetric" : "asymmetric";
  return { bits, group: inputsOf(group, columns), symmetry, search };
}

/** A group as the engine counts it: 0 is the whole row. */
export function inputsOf(group: Group, columns: number): number {
  return group === "channel" || group === columns ? 0 : group;
}

/** Integer codes of a weight as a packed matrix. */
export function packedIntegers(
  [rows, columns]: readonly [number, number],
  { bits, group }: Required<GroupedOptions>,
  codes: IntegerCodes,
): PackedMatrix {
  return { format: FORMATS[bits], rows, columns, group: inputsOf(group, columns), ...codes };
}

/** "4-bit symmetric", "a scale a row". */
export function describeGrid({ bits, group, symmetric, search }: Required<UniformGridOptions>) {
  const symmetry = symmetric === "restricted" ? "restricted symmetric " : symmetric ? "symmetric " : "";
  return {
    width: `${bits}-bit ${symmetry}`,
    span: describeGroup(group) + (search === "mse" ? ", least squared error" : ""),
  };
}
export function describeGroup(group: Group): string {
  return group === "channel" ? "a scale a row" : `a scale for ${group} inputs`;
}

/** Refuses a group that does not divide the rows of all layers. @throws {ShapeError} naming those that do */
export function checkGroup(layers: readonly Layer[], group: Group): void {
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

function isGroup(value: unknown): boolean {
  return value === "channel" || (Number.isSafeInteger(value) && (value as number) >= 8);
}
function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
