import type { Over, Reduction } from "@nibble-lab/native";
import { apply } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { made, type OpTable } from "./table.js";

export type { Over, Reduction } from "@nibble-lab/native";

interface Signatures {
  reduce: {
    inputs: { x: Tensor };
    options: { readonly kind: Reduction; readonly over: Over };
    saved: { x: Tensor; y: Tensor };
  };
}

export const reduceOps: OpTable<Signatures> = {
  reduce: {
    forward: ({ x }, { kind, over }) => {
      const y = made(native.reduceForward(x.handle, kind, over));
      return { output: y, saved: { x, y } };
    },
    backward: ({ dy, saved: { x, y }, options: { kind, over } }) => ({
      x: made(native.reduceBackward(x.handle, dy.handle, y.handle, kind, over)),
    }),
  },
};

const reduce =
  (kind: Reduction) =>
  (x: Tensor, over: Over = "all") =>
    apply("reduce", reduceOps.reduce, { x }, { kind, over });

/** The sum of all elements → [1]; over "rows" of x [.., n] → [n], over "columns" → [..]. Added in f64. */
export const sum = reduce("sum");
/** The mean, shapes as in `sum`. */
export const mean = reduce("mean");
/** The largest element, shapes as in `sum`; its gradient is shared by those that equal it. */
export const max = reduce("max");
/** √Σ x², shapes as in `sum`. */
export const norm = reduce("norm");
