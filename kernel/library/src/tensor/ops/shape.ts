import { apply } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { made, type OpTable, type None } from "./table.js";

interface Signatures {
  reshape: {
    inputs: { x: Tensor };
    options: { readonly shape: readonly number[]; readonly from: readonly number[] };
    saved: None;
  };
}

export const shapeOps: OpTable<Signatures> = {
  reshape: {
    forward: ({ x }, { shape }) => ({ output: made(native.tensorReshape(x.handle, [...shape])) }),
    backward: ({ dy, options: { from } }) => ({ x: made(native.tensorReshape(dy.handle, [...from])) }),
  },
};

/** The same numbers in another shape, over the same bytes. */
export const reshape = (x: Tensor, shape: readonly number[]) =>
  apply("reshape", shapeOps.reshape, { x }, { shape, from: x.shape });
