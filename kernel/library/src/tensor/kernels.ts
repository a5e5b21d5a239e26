import type { CrossEntropyOptions, Over } from "@nibble-lab/native";
import type { Category } from "./dtype.js";
import { native } from "./native.js";
import { toNative, type PackedMatrix } from "./packed.js";
import { Tensor } from "./tensor.js";

export { onDevice } from "./tensor.js";

// Operations that no gradient flows through. Results belong to the caller.

/** Rows [start, end) of dimension 0, copied. */
export function sliceRows(x: Tensor, start: number, end: number): Tensor {
  return Tensor.adopt(native.sliceRows(x.handle, start, end));
}
/** One below the other along dimension 0. */
export function concatRows(parts: readonly Tensor[]): Tensor {
  return Tensor.adopt(native.concatRows(parts.map((part) => part.handle)));
}
/** Its own bytes. */
export function copy(x: Tensor, category: Category = "activations", owner = "copy"): Tensor {
  return Tensor.adopt(native.tensorCopy(x.handle, category, owner));
}
/** A copy on the device: "cpu", "gpu" or "gpu:N". */
export function toDevice(x: Tensor, device: string): Tensor {
  return Tensor.adopt(native.tensorToDevice(x.handle, device));
}
/** Another shape over the same bytes, without a tape; `reshape` in ops.ts is the one that gradients flow through. */
export function view(x: Tensor, shape: readonly number[]): Tensor {
  return Tensor.adopt(native.tensorReshape(x.handle, [...shape]));
}
/** `packedLinear` with x [n, in] rounded to eight bits, a scale for each 32 numbers. */
export function packedLinearInt8(x: Tensor, packed: PackedMatrix): Tensor {
  return Tensor.adopt(native.packedLinearForwardInt8(x.handle, toNative(packed)));
}
/** Place of the first largest element, i32: of all → [1], of each column (over "rows") → [n], of each row (over "columns") → [..]. */
export function argmax(x: Tensor, over: Over = "all"): Tensor {
  return Tensor.adopt(native.argmax(x.handle, over));
}
/** The k largest of each row of x [.., n], falling, and their places (i32): [.., k] each. */
export function topK(x: Tensor, k: number): { readonly values: Tensor; readonly indices: Tensor } {
  const { values, indices } = native.topK(x.handle, k);
  return { values: Tensor.adopt(values), indices: Tensor.adopt(indices) };
}
/** [m, n] → [n] */
export function sumRows(x: Tensor): Tensor {
  return Tensor.adopt(native.sumRows(x.handle));
}
/** The sum of all elements, added in f64 in a fixed order. */
export function total(x: Tensor): number {
  return native.sum(x.handle);
}
/** target += alpha·b, in place. */
export function addInPlace(target: Tensor, b: Tensor, alpha = 1): void {
  native.addInPlace(target.handle, b.handle, alpha);
  target.touched();
}
/** target *= factor, in place. */
export function scaleInPlace(target: Tensor, factor: number): void {
  native.scaleInPlace(target.handle, factor);
  target.touched();
}
/** target = min(max(target, low), high), in place. */
export function clampInPlace(target: Tensor, low: number, high: number): void {
  native.clampInPlace(target.handle, low, high);
  target.touched();
}

/** Writes the rows of x [batch·n, width] at `position` of a cache [batch, capacity, width]. */
export function cacheWrite(cache: Tensor, x: Tensor, position: number): void {
  native.cacheWrite(cache.handle, x.handle, position);
  cache.touched();
}
/** The first `length` positions of a cache as [batch·length, width]. */
export function cacheRead(cache: Tensor, length: number): Tensor {
  return Tensor.adopt(native.cacheRead(cache.handle, length));
}

/**
 * The cross-entropy of x·Wᵀ against targets, without gradients and without ever holding the logits.
 *
 * @param x [n, d] f32 · @param weight [vocab, d] f32 · @param targets [n] i32
 * @returns the sum over counted tokens, their number and, on request, each token's loss (f32 [n], 0 where ignored)
 */
export function crossEntropy(
  x: Tensor,
  weight: Tensor,
  targets: Tensor,
  options: Pick<CrossEntropyOptions, "ignoreIndex" | "wantTokenLosses" | "precision"> = {},
): { readonly loss: number; readonly tokens: number; readonly tokenLosses: Tensor | null } {
  const { loss, tokens, tokenLosses } = native.linearCrossEntropy(x.handle, weight.handle, targets.handle, options);
  return { loss, tokens, tokenLosses: tokenLosses === undefined ? null : Tensor.adopt(tokenLosses) };
}

/** √Σ g² over all gradients. */
export function globalNorm(gradients: readonly Tensor[]): number {
  return native.globalNorm(handles(gradients));
}
function handles(tensors: readonly Tensor[]) {
  return tensors.map((tensor) => tensor.handle);
}

export interface PcaFit {
  /** [d] */
  readonly mean: Tensor;
  /** [k, d], by falling variance; the largest |entry| of each is positive */
  readonly components: Tensor;
  /** [k] */
  readonly variances: Tensor;
  readonly totalVariance: number;
}
/** Principal components of x [n, d], through the smaller of the two Gram matrices in f64. */
export function pcaFit(x: Tensor, k: number): PcaFit {
  const { mean, components, variances, totalVariance } = native.pcaFit(x.handle, k);
  return {
    mean: Tensor.adopt(mean),
    components: Tensor.adopt(components),
    variances: Tensor.adopt(variances),
    totalVariance,
  };
}
/** Coordinates [n, k] of x [n, d] in a fitted basis. */
export function pcaProject(x: Tensor, fit: Pick<PcaFit, "mean" | "components">): Tensor {
  return Tensor.adopt(native.pcaProject(x.handle, fit.mean.handle, fit.components.handle));
}
