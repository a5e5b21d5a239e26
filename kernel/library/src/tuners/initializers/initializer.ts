import type { LinearWeight } from "../../nn/linear.js";
import type { OptionRule } from "../../options.js";
import type { PackedWeight } from "../../quantization/packed-weight.js";
import type { Tensor } from "../../tensor/tensor.js";

/** A layer whose adapter is about to start. Tensors belong to the caller. */
export interface InitializerLayer {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
  /** What lies below the adapter now. */
  readonly weight: LinearWeight;
  /** W [out, in] f32 before quantization; null where the initializer does not need it. */
  readonly original: Tensor | null;
  /** H = XᵀX [in, in] f32 over the calibration tokens; null without calibration. */
  readonly gram: Tensor | null;
  /** The same seed gives the same start. */
  readonly seed: number;
  /** Stores another weight as the one below is stored; the caller disposes. */
  readonly requantize: (weight: Tensor) => Promise<PackedWeight>;
}

/** Where an adapter starts: its layer then multiplies by weight + B·A. All of it belongs to the caller. */
export interface LayerStart {
  /** A [rank, in] f32 */
  readonly a: Tensor;
  /** B [out, rank] f32 */
  readonly b: Tensor;
  /** What lies below from now on, where that changes. */
  readonly weight?: LinearWeight;
  /** √(Σ(X·(Ŵ + BA − W)ᵀ)²) as the method's theory says. */
  readonly predicted?: number;
}

export type Need = "original" | "calibration" | "quantizer";

/** Where the numbers of an adapter start. `O` are the method's own options. */
export interface Initializer<O extends object> {
  readonly name: string;
  readonly rules: {
    readonly [K in keyof O]-?: OptionRule<NonNullable<O[K]>> & { readonly fallback: NonNullable<O[K]> };
  };
  /** One line for people. */
  readonly describe: (options: Required<O>) => string;
  /** What it must be given for a layer, which is dense or quantized. */
  readonly needs: (layer: { readonly dense: boolean }) => readonly Need[];
  readonly start: (layer: InitializerLayer, options: Required<O>) => Promise<LayerStart>;
}

/** Ties an initializer's options, rules and algorithm together, so that a forgotten rule does not compile. */
export function defineInitializer<O extends object>(definition: Initializer<O>): Initializer<O> {
  return definition;
}
