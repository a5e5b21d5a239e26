import { ShapeError } from "../errors.js";
import { randomOrthogonal, randomTruncatedNormal, randomUniform } from "../tensor/random.js";
import { Tensor, type TensorOptions } from "../tensor/tensor.js";

type Options = Omit<TensorOptions, "dtype">;
/** A weight [out, in, …] of that shape, f32, category "weights"; the same seed gives the same numbers. The caller owns it. */
type Initializer<S> = (shape: readonly number[], settings: S, options?: Options) => Tensor;
interface Seeded {
  readonly seed: number;
}

/**
 * Where weights start. Every initializer takes a shape, its settings and, for the memory panel, category and owner.
 *
 * @throws {OptionError} for numbers that are not finite, or a negative spread · {ShapeError}
 * @example
 * const weight = initializers.kaimingNormal([256, 64], { seed: 1 }, { owner: "my layer" });
 */
export const initializers = {
  /** 0 everywhere. */
  zeros: (shape, _, options = {}) => Tensor.zeros(shape, { ...label(options), dtype: "f32" }),
  /** Normal with mean 0 and standard deviation `std` (default 0.02, GPT-2's). */
  normal: (shape, { std = 0.02, seed }, options = {}) => Tensor.randomNormal(shape, std, seed, label(options)),
  /** Even over [low, high). */
  uniform: (shape, { low = -1, high = 1, seed }, options = {}) => randomUniform(shape, low, high, seed, label(options)),
  /** Normal, drawn again while it is more than `cut` (default 2) standard deviations from 0. */
  truncatedNormal: (shape, { std = 0.02, cut = 2, seed }, options = {}) =>
    randomTruncatedNormal(shape, std, cut, seed, label(options)),
  /** Normal with variance gain²·2 / (in + out)   (Glorot and Bengio 2010) */
  xavierNormal: (shape, { gain = 1, seed }, options = {}) =>
    Tensor.randomNormal(shape, gain * Math.sqrt(2 / sum(fans("xavierNormal", shape))), seed, label(options)),
  /** Even over ±√3 standard deviations of `xavierNormal`. */
  xavierUniform: (shape, { gain = 1, seed }, options = {}) =>
    even(shape, gain * Math.sqrt(2 / sum(fans("xavierUniform", shape))), seed, options),
  /** Normal with variance gain² / in, gain √2 unless told otherwise: for ReLU   (He et al. 2015) */
  kaimingNormal: (shape, { gain = Math.SQRT2, seed }, options = {}) =>
    Tensor.randomNormal(shape, gain / Math.sqrt(fans("kaimingNormal", shape).fanIn), seed, label(options)),
  /** Even over ±√3 standard deviations of `kaimingNormal`. */
  kaimingUniform: (shape, { gain = Math.SQRT2, seed }, options = {}) =>
    even(shape, gain / Math.sqrt(fans("kaimingUniform", shape).fanIn), seed, options),
  /** A matrix with orthonormal rows or columns, whichever are fewer, times `gain`   (Saxe et al. 2014) */
  orthogonal: (shape, { gain = 1, seed }, options = {}) => randomOrthogonal(shape, gain, seed, label(options)),
} as const satisfies {
  zeros: Initializer<object | undefined>;
  normal: Initializer<Seeded & { readonly std?: number }>;
  uniform: Initializer<Seeded & { readonly low?: number; readonly high?: number }>;
  truncatedNormal: Initializer<Seeded & { readonly std?: number; readonly cut?: number }>;
} & Record<
  "xavierNormal" | "xavierUniform" | "kaimingNormal" | "kaimingUniform" | "orthogonal",
  Initializer<Seeded & { readonly gain?: number }>
>;
export type InitializerName = keyof typeof initializers;

const label = ({ category = "weights", owner = "weight" }: Options) => ({ category, owner }) as const;
const sum = ({ fanIn, fanOut }: { fanIn: number; fanOut: number }) => fanIn + fanOut;

/** Numbers that flow into and out of one of [out, in, …]; what follows is a receptive field. */
function fans(op: string, shape: readonly number[]): { fanIn: number; fanOut: number } {
  const [out, into, ...field] = shape;
  if (out === undefined || into === undefined) {
    throw new ShapeError(op, `The shape is [${shape.join(", ")}]. Allowed: [out, in, …].`);
  }
  const size = field.reduce((a, b) => a * b, 1);
  return { fanIn: into * size, fanOut: out * size };
}

function even(shape: readonly number[], std: number, seed: number, options: Options): Tensor {
  const bound = Math.sqrt(3) * std;
  return randomUniform(shape, -bound, bound, seed, label(options));
}
