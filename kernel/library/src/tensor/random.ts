import { native } from "./native.js";
import { Tensor, type TensorOptions } from "./tensor.js";

// Random f32 tensors: the same for the same seed, on every machine and for any number of threads.

type Options = Omit<TensorOptions, "dtype">;
const labelOf = ({ category = "weights", owner = "tensor" }: Options) => [category, owner] as const;

/** Even over [low, high). */
export function randomUniform(
  shape: readonly number[],
  low: number,
  high: number,
  seed: number,
  options: Options = {},
) {
  return Tensor.adopt(native.tensorRandomUniform([...shape], low, high, seed, ...labelOf(options)));
}
/** Normal with mean 0, drawn again while it is more than `cut` standard deviations from it. */
export function randomTruncatedNormal(
  shape: readonly number[],
  std: number,
  cut: number,
  seed: number,
  options: Options = {},
) {
  return Tensor.adopt(native.tensorRandomTruncatedNormal([...shape], std, cut, seed, ...labelOf(options)));
}
/** [rows, columns] with orthonormal rows or columns, whichever are fewer, times `gain`. */
export function randomOrthogonal(shape: readonly number[], gain: number, seed: number, options: Options = {}) {
  return Tensor.adopt(native.tensorRandomOrthogonal([...shape], gain, seed, ...labelOf(options)));
}
