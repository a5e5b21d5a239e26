import type { OptionRule } from "../options.js";
import type { Tensor } from "../tensor/tensor.js";
import type { LayerInputs } from "./calibration.js";

/** Changes a weight before it is quantized, so that its codes lose less. `O` are the method's own options. */
export interface Preprocessor<O extends object> {
  readonly name: string;
  /** One rule per option, each with its default. */
  readonly rules: {
    readonly [K in keyof O]-?: OptionRule<NonNullable<O[K]>> & { readonly fallback: NonNullable<O[K]> };
  };
  /** For people, before the quantizer's own description. */
  readonly describe: (options: Required<O>) => string;
  /** @param weight [out, in] f32, left as it is · @param group inputs that share a scale, 0 = the whole row · @returns [out, in] f32; the caller disposes */
  readonly apply: (weight: Tensor, inputs: LayerInputs, group: number, options: Required<O>) => Promise<Tensor>;
}

/** Ties a preprocessor's options, rules and algorithm together. */
export function definePreprocessor<O extends object>(definition: Preprocessor<O>): Preprocessor<O> {
  return definition;
}
