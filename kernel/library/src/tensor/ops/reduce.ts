import { apply } from "../autograd.js";
import { native } from "../native.js";
import { Tensor } from "../tensor.js";
import { type OpTable, type None } from "./table.js";

interface Signatures {
  sum: { inputs: { x: Tensor }; options: { readonly shape: readonly number[] }; saved: None };
}

export const reduceOps: OpTable<Signatures> = {
  sum: {
    forward: ({ x }) => ({ output: Tensor.full([1], native.sum(x.handle), { owner: "sum" }) }),
    backward: ({ dy, options: { shape } }) => ({
      x: Tensor.full(shape, dy.item(), { category: "gradients", owner: "sum" }),
    }),
  },
};

/** The sum of all elements → [1] */
export const sum = (x: Tensor) => apply("sum", reduceOps.sum, { x }, { shape: x.shape });
