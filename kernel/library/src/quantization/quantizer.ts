import type { OptionRule } from "../options.js";
import type { PackedMatrix } from "../tensor/packed.js";
import type { Tensor } from "../tensor/tensor.js";

/** A weight that is about to be quantized. */
export interface Layer {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
}

/**
 * How weights are stored and how their codes are chosen. `O` are the method's own options.
 */
export interface Quantizer<O extends object> {
  readonly name: string;
  /** One rule per option, each with its default. */
  readonly rules: {
    readonly [K in keyof O]-?: OptionRule<NonNullable<O[K]>> & { readonly fallback: NonNullable<O[K]> };
  };
  /** One line for people: "2-bit round to nearest, a scale a row". */
  readonly describe: (options: Required<O>) => string;
  /** Refuses shapes that the options do not fit, before anything is allocated. @throws {ShapeError} */
  readonly checkLayers: (layers: readonly Layer[], options: Required<O>) => void;
  /** @param weight [out, in] f32, left as it is · @returns its codes; the caller disposes */
  readonly quantize: (weight: Tensor, options: Required<O>) => PackedMatrix;
}

/** Ties a quantizer's options, rules and algorithm together, so that a forgotten rule does not compile. */
export function defineQuantizer<O extends object>(definition: Quantizer<O>): Quantizer<O> {
  return definition;
}
