import { keep, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import type { LayerInputs } from "./calibration.js";
import { PackedWeight } from "./packed-weight.js";
import type { Quantizer } from "./quantizer.js";

/** How a layer's weight becomes codes. */
export interface Packing {
  readonly quantizer: Quantizer<object>;
  /** Changes the weight beforehand; null where nothing does. */
  readonly preprocess: ((weight: Tensor, inputs: LayerInputs, options: object) => Promise<Tensor>) | null;
  readonly options: Required<object>;
}

/** True where `pack` must see what flows into the layer. */
export function needsInputs({ quantizer, preprocess }: Pick<Packing, "quantizer" | "preprocess">): boolean {
  return quantizer.needs === "inputs" || preprocess !== null;
}

/**
 * @param weight [out, in] f32, left as it is · @param inputs null only where the packing needs none
 * @returns its codes, which the caller disposes, and a note for the report
 */
export async function pack(
  weight: Tensor,
  { quantizer, preprocess, options }: Packing,
  inputs: LayerInputs | null,
): Promise<{ readonly packed: PackedWeight; readonly note: string }> {
  const changed = preprocess === null ? null : await preprocess(weight, inputs!, options);
  try {
    const source = changed ?? weight;
    const made =
      quantizer.needs === "inputs"
        ? await quantizer.quantize(source, options, inputs!)
        : { packed: scope(() => quantizer.quantize(source, options)), note: "" };
    return { packed: new PackedWeight(keep(made.packed)), note: made.note };
  } finally {
    changed?.dispose();
  }
}
