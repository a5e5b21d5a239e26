import type { Block } from "../models/decoder.js";
import type { Linear } from "../nn/linear.js";
import type { OptionRule } from "../options.js";
import type { PackedMatrix } from "../tensor/packed.js";
import type { Tensor } from "../tensor/tensor.js";
import type { BlockInputs, LayerInputs } from "./calibration.js";

/** A weight that is about to be quantized. */
export interface Layer {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
}

interface Described<O extends object> {
  readonly name: string;
  /** One rule per option, each with its default. */
  readonly rules: {
    readonly [K in keyof O]-?: OptionRule<NonNullable<O[K]>> & { readonly fallback: NonNullable<O[K]> };
  };
  /** One line for people: "2-bit round to nearest, a scale a row". */
  readonly describe: (options: Required<O>) => string;
  /** Refuses shapes that the options do not fit, before anything is allocated. @throws {ShapeError} */
  readonly checkLayers: (layers: readonly Layer[], options: Required<O>) => void;
}

/** A quantizer that looks at the weight alone. */
export interface WeightQuantizer<O extends object> extends Described<O> {
  readonly needs: "weights";
  /** @param weight [out, in] f32, left as it is · @returns its codes; the caller disposes */
  readonly quantize: (weight: Tensor, options: Required<O>) => PackedMatrix;
}

/** A block that is about to be quantized, for methods that change more than one layer at a time. */
export interface BlockContext<O extends object> {
  readonly block: Block;
  /** The options of each layer that will be quantized. */
  readonly options: ReadonlyMap<Linear, Required<O>>;
  readonly inputs: BlockInputs;
}

/** A quantizer that also looks at what flows into the layer. */
export interface InputQuantizer<O extends object> extends Described<O> {
  readonly needs: "inputs";
  /** Whether a block's inputs come from the blocks before it as they were, or as they are quantized. */
  readonly flow: "exact" | "quantized";
  /** True where a layer's inputs must come from behind the quantized layers of its own block. */
  readonly sequential?: (options: Required<O>) => boolean;
  /** Changes a block without changing what it computes; tensors that it puts there belong to the block. @returns a note by layer, for the report */
  readonly prepare?: (context: BlockContext<O>) => Promise<ReadonlyMap<Linear, string>>;
  /** @param weight [out, in] f32, left as it is · @returns its codes, which the caller disposes, and a note for the report */
  readonly quantize: (
    weight: Tensor,
    options: Required<O>,
    inputs: LayerInputs,
  ) => Promise<{ readonly packed: PackedMatrix; readonly note: string }>;
}

/**
 * How weights are stored and how their codes are chosen. `O` are the method's own options.
 */
export type Quantizer<O extends object> = WeightQuantizer<O> | InputQuantizer<O>;

/** Ties a quantizer's options, rules and algorithm together, so that a forgotten rule does not compile. */
export function defineQuantizer<O extends object>(definition: WeightQuantizer<O>): WeightQuantizer<O>;
export function defineQuantizer<O extends object>(definition: InputQuantizer<O>): InputQuantizer<O>;
export function defineQuantizer<O extends object>(definition: Quantizer<O>): Quantizer<O> {
  return definition;
}
