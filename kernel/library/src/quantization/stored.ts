import { FormatError } from "../errors.js";
import { shown } from "../options.js";
import { noGrad, scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import type { PackedFormat, PackedMatrix } from "../tensor/packed.js";
import { PackedWeight } from "./packed-weight.js";

/** What of a packed weight is not a tensor: an entry of `quantization_config.layers`. */
export interface StoredLayer {
  readonly format: PackedFormat;
  /** Inputs that share a scale; 0 = the whole row. */
  readonly group: number;
  /** The mean that double quantization took off the scales. */
  readonly nested_offset?: number;
}
type Part = "codes" | "scales" | "zeroPoints" | "nestedScales";

const PARTS: readonly (readonly [Part, string])[] = [
  ["codes", "codes"],
  ["scales", "scales"],
  ["zeroPoints", "zero_points"],
  ["nestedScales", "nested_scales"],
];

/** The last parts of the names of a packed weight's tensors. */
export const PACKED_PARTS = PARTS.map(([, name]) => name);

/** How a weight is written: its entry, and its tensors by the part of their name after the weight's. */
export function storedLayer(weight: PackedWeight): { entry: StoredLayer; tensors: Map<string, Tensor> } {
  const { format, group, nestedOffset } = weight;
  const entry = { format, group, ...(nestedOffset !== undefined && { nested_offset: nestedOffset }) };
  const tensors = PARTS.flatMap(([part, name]): [string, Tensor][] => {
    const tensor = weight[part];
    return tensor === undefined ? [] : [[name, tensor]];
  });
  return { entry, tensors: new Map(tensors) };
}

/**
 * The weight that an entry and its tensors describe; it owns them.
 *
 * @param tensors by the part of their name after the weight's
 * @throws {FormatError} if they do not fit each other
 */
export function restoreLayer(
  path: string,
  name: string,
  [rows, columns]: readonly [number, number],
  entry: unknown,
  tensors: ReadonlyMap<string, Tensor>,
): PackedWeight {
  const { format, group, nested_offset: offset } = (entry ?? {}) as Partial<Record<keyof StoredLayer, unknown>>;
  if (typeof format !== "string" || !Number.isSafeInteger(group)) {
    const text = `${path}: quantization_config.layers has ${shown(format)}, group ${shown(group)} for ${name}. Expected the name of a format and a whole number.`;
    throw new FormatError("loadModel", text, { path, layer: name });
  }
  const parts = PARTS.flatMap(([part, key]) => (tensors.has(key) ? [[part, tensors.get(key)!] as const] : []));
  const nested = typeof offset === "number" ? { nestedOffset: offset } : {};
  const matrix = { format, rows, columns, group, ...Object.fromEntries(parts), ...nested } as unknown as PackedMatrix;
  try {
    const weight = new PackedWeight(matrix);
    // The engine checks every length before it multiplies.
    noGrad(() => scope(() => void weight.forward(Tensor.zeros([1, columns], { owner: "loadModel" }))));
    return weight;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FormatError(
      "loadModel",
      `${path}: the tensors of ${name} do not make a weight: ${why}`,
      { path, layer: name },
      error,
    );
  }
}
