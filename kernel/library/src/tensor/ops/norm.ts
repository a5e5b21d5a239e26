import { apply } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { made, onlyWanted, type OpTable } from "./table.js";

interface Signatures {
  rmsNorm: {
    inputs: { x: Tensor; weight: Tensor };
    options: { readonly epsilon: number };
    saved: { x: Tensor; weight: Tensor; rstd: Tensor };
  };
}

export const normOps: OpTable<Signatures> = {
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

/** x / √(mean(x²) + epsilon) · weight over the last dimension. */
export const rmsNorm = (x: Tensor, weight: Tensor, epsilon: number) =>
  apply("rmsNorm", normOps.rmsNorm, { x, weight }, { epsilon });
