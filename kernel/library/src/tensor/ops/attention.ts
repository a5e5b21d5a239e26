import type { AttentionOptions, RopeOptions } from "@nibble-lab/native";
import { apply } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { made, onlyWanted, type OpTable, type None } from "./table.js";

export type { AttentionOptions, RopeOptions } from "@nibble-lab/native";

type Attention = Omit<AttentionOptions, "scale"> & { readonly scale?: number };
type Rope = Omit<RopeOptions, "inverse">;

interface Signatures {
  attention: {
    inputs: { q: Tensor; k: Tensor; v: Tensor };
    options: Attention;
    saved: { q: Tensor; k: Tensor; v: Tensor; y: Tensor; logSumExp: Tensor };
  };
  rope: { inputs: { x: Tensor }; options: Rope; saved: None };
}

export const attentionOps: OpTable<Signatures> = {
  attention: {
    forward: ({ q, k, v }, options, wanted) => {
      const result = native.attentionForward(q.handle, k.handle, v.handle, options);
      const [y, logSumExp] = [made(result.y), made(result.logSumExp)];
      const any = wanted.q || wanted.k || wanted.v;
      return { output: y, saved: any ? { q, k, v, y, logSumExp } : {}, scratch: [logSumExp] };
    },
    backward: ({ dy, saved: { q, k, v, y, logSumExp }, options, wanted }) => {
      const all = native.attentionBackward(
        dy.handle,
        q.handle,
        k.handle,
        v.handle,
        y.handle,
        logSumExp.handle,
        options,
      );
      return onlyWanted({ q: made(all.q), k: made(all.k), v: made(all.v) }, wanted);
    },
  },

  rope: {
    forward: ({ x }, options) => ({ output: made(native.rope(x.handle, options)) }),
    backward: ({ dy, options }) => ({ x: made(native.rope(dy.handle, { ...options, inverse: true })) }),
  },
};

/** Causal grouped-query attention: q [batch·queries, heads·d], k and v [batch·keys, kvHeads·d] → as q. scale defaults to 1/√d. */
export const attention = (q: Tensor, k: Tensor, v: Tensor, options: Attention) =>
  apply("attention", attentionOps.attention, { q, k, v }, options);
/** Rotary positions (Su et al. 2021), half-split pairs: x [batch·length, heads·headDim]. */
export const rope = (x: Tensor, options: Rope) => apply("rope", attentionOps.rope, { x }, options);
