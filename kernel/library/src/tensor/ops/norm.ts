import { apply, type OpRule } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { elementwiseOps } from "./elementwise.js";
import { made, onlyWanted, type OpTable } from "./table.js";

export interface NormOptions {
  readonly epsilon: number;
}
interface Signatures {
  layerNorm: {
    inputs: { x: Tensor; weight: Tensor; bias: Tensor };
    options: NormOptions;
    saved: { x: Tensor; weight: Tensor; mean: Tensor; rstd: Tensor };
  };
  rmsNorm: {
    inputs: { x: Tensor; weight: Tensor };
    options: NormOptions;
    saved: { x: Tensor; weight: Tensor; rstd: Tensor };
  };
}

export const normOps: OpTable<Signatures> = {
  layerNorm: {
    forward: ({ x, weight, bias }, { epsilon }) => {
      const result = native.layerNormForward(x.handle, weight.handle, bias.handle, epsilon);
      const [mean, rstd] = [made(result.mean), made(result.rstd)];
      return { output: made(result.y), saved: { x, weight, mean, rstd }, scratch: [mean, rstd] };
    },
    backward: ({ dy, saved: { x, weight, mean, rstd }, wanted }) => {
      const [dyh, xh, wh] = [dy.handle, x.handle, weight.handle];
      const all = native.layerNormBackward(dyh, xh, wh, mean.handle, rstd.handle, wanted.weight || wanted.bias);
      const optional = (handle: number | undefined) => (handle === undefined ? undefined : made(handle));
      return onlyWanted({ x: made(all.x), weight: optional(all.weight), bias: optional(all.bias) }, wanted);
    },
  },

  rmsNorm: {
    forward: ({ x, weight }, { epsilon }, wanted) => {
      const result = native.rmsNormForward(x.handle, weight.handle, epsilon);
      const rstd = made(result.rstd);
      return { output: made(result.y), saved: wanted.x || wanted.weight ? { x, weight, rstd } : {}, scratch: [rstd] };
    },
    backward: ({ dy, saved: { x, weight, rstd }, wanted }) => {
      const all = native.rmsNormBackward(dy.handle, x.handle, weight.handle, rstd.handle, wanted.weight);
      return onlyWanted({ x: made(all.x), weight: all.weight === undefined ? undefined : made(all.weight) }, wanted);
    },
  },
};

/** (x − mean)/√(variance + epsilon) · weight + bias over the last dimension   (Ba et al. 2016) */
export const layerNorm = (x: Tensor, weight: Tensor, bias: Tensor, epsilon: number) =>
  apply("layerNorm", normOps.layerNorm, { x, weight, bias }, { epsilon });
/** x / √(mean(x²) + epsilon) · weight over the last dimension   (Zhang and Sennrich 2019) */
export const rmsNorm = (x: Tensor, weight: Tensor, epsilon: number) =>
  apply("rmsNorm", normOps.rmsNorm, { x, weight }, { epsilon });

/** x + residual and its rmsNorm, in one pass over memory; the tape sees the two operations. */
export function addRmsNorm(
  x: Tensor,
  residual: Tensor,
  weight: Tensor,
  epsilon: number,
): { readonly sum: Tensor; readonly y: Tensor } {
  const result = native.addRmsNormForward(x.handle, residual.handle, weight.handle, epsilon);
  const rstd = made(result.rstd);
  const added: OpRule<Add> = { ...elementwiseOps.add, forward: () => ({ output: made(result.sum) }) };
  const sum = apply("add", added, { a: x, b: residual }, { vector: false });
  const normalized: OpRule<Signatures["rmsNorm"]> = {
    ...normOps.rmsNorm,
    forward: (inputs) => ({ output: made(result.y), saved: { ...inputs, rstd }, scratch: [rstd] }),
  };
  return { sum, y: apply("rmsNorm", normalized, { x: sum, weight }, { epsilon }) };
}
type Add = typeof elementwiseOps.add extends OpRule<infer S> ? S : never;
