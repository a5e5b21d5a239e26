import type { GptqOptions, GridOptions, HqqOptions, IntegerCodes as Handles, MagrOptions } from "@nibble-lab/native";
import { runJob, type JobOptions } from "./jobs.js";
import { native } from "./native.js";
import { Tensor } from "./tensor.js";

export type { GridOptions } from "@nibble-lab/native";

// What chooses integer codes. Results belong to the caller.

export interface IntegerCodes {
  /** u8, packed, lowest bits first, each row padded to a byte */
  readonly codes: Tensor;
  /** f32 [out, groups] */
  readonly scales: Tensor;
  /** f32 [out, groups] */
  readonly zeroPoints: Tensor;
}

/** The nearest levels of a grid for each group of `options.group` inputs (0: the row), ties to even. @param weight [out, in] f32 */
export function quantizeInteger(weight: Tensor, options: GridOptions): IntegerCodes {
  return adopted(native.quantizeInteger(weight.handle, options));
}

/** Half-quadratic quantization: min-max scales, zero points that are not whole. @param weight [out, in] f32 */
export function quantizeHqq(weight: Tensor, options: HqqOptions): IntegerCodes {
  return adopted(native.quantizeHqq(weight.handle, options));
}

/** What GPTQ needs of the inputs: the same for all layers that read them. */
export interface GptqFactor {
  /** f32 [in, in], upper triangular: UᵀU = (H + λI)⁻¹, in processing order */
  readonly upper: Tensor;
  /** i32 [in]: the column that each step processes */
  readonly order: Tensor;
  /** λ ÷ the mean of H's diagonal that was used: `damping`, or its double, four times … until H + λI was positive definite. */
  readonly damping: number;
}

/** @param gram [in, in] f32 · @throws {NumericsError} if even λ = the mean of the diagonal is not enough */
export async function gptqFactor(
  gram: Tensor,
  { damping, actOrder }: { readonly damping: number; readonly actOrder: boolean },
  job: JobOptions = {},
): Promise<GptqFactor> {
  const start = (id: number) => native.gptqFactor(gram.handle, damping, actOrder, id);
  const made = await runJob("gptqFactor", [gram], job, start);
  return { upper: Tensor.adopt(made.upper), order: Tensor.adopt(made.order), damping: made.damping };
}

/** GPTQ's codes. @param weight [out, in] f32 · @param gram [in, in] f32, what `factor` was made of */
export async function quantizeGptq(
  weight: Tensor,
  gram: Tensor,
  { upper, order, damping }: GptqFactor,
  options: GptqOptions,
  job: JobOptions = {},
): Promise<IntegerCodes> {
  const factor = { upper: upper.handle, order: order.handle, damping };
  const start = (id: number) => native.quantizeGptq(weight.handle, gram.handle, factor, options, id);
  return adopted(await runJob("quantizeGptq", [weight, gram, upper, order], job, start));
}

/** MagR's weight [out, in]. @param weight [out, in] f32 · @param gram [in, in] f32 */
export async function reduceMagnitude(
  weight: Tensor,
  gram: Tensor,
  options: MagrOptions,
  job: JobOptions = {},
): Promise<Tensor> {
  const start = (id: number) => native.reduceMagnitude(weight.handle, gram.handle, options, id);
  return Tensor.adopt(await runJob("reduceMagnitude", [weight, gram], job, start));
}

/** AWQ's clip search: the weight [out, in] with each group clamped. @param weight [out, in] f32 · @param gram [in, in] f32 */
export async function clipWeights(
  weight: Tensor,
  gram: Tensor,
  options: GridOptions,
  job: JobOptions = {},
): Promise<Tensor> {
  const start = (id: number) => native.clipWeights(weight.handle, gram.handle, options, id);
  return Tensor.adopt(await runJob("clipWeights", [weight, gram], job, start));
}

/** weight·diag(factors). @param weight [out, in] f32 · @param factors [in] f32 */
export function scaleColumns(weight: Tensor, factors: Tensor): Tensor {
  return Tensor.adopt(native.scaleColumns(weight.handle, factors.handle));
}

function adopted({ codes, scales, zeroPoints }: Handles): IntegerCodes {
  return { codes: Tensor.adopt(codes), scales: Tensor.adopt(scales), zeroPoints: Tensor.adopt(zeroPoints) };
}
