import type { AttentionOptions as NativeAttention, RopeOptions as NativeRope } from "@nibble-lab/native";
import { apply } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { made, onlyWanted, type None, type OpTable } from "./table.js";

export type { RopeScaling } from "@nibble-lab/native";

/** What hides keys and leans scores. */
export interface AttentionBias {
  /** u8 [batch, keys]: 0 for keys that nobody sees. */
  readonly keyMask?: Tensor;
  /** i32 [batch]: keys of each sequence, where they are padded at the end. */
  readonly lengths?: Tensor;
  /** f32 [heads]: scores get slope·(key − position)   (ALiBi, Press et al. 2022); no gradient flows to it. */
  readonly slopes?: Tensor;
}
export type AttentionOptions = Readonly<Omit<NativeAttention, keyof AttentionBias>> & AttentionBias;
export type RopeOptions = Readonly<Omit<NativeRope, "inverse">>;

interface Signatures {
  attention: {
    inputs: { q: Tensor; k: Tensor; v: Tensor };
    options: AttentionOptions;
    saved: { q: Tensor; k: Tensor; v: Tensor; y: Tensor; logSumExp: Tensor } & {
      readonly [K in keyof AttentionBias]-?: Tensor;
    };
  };
  rope: { inputs: { x: Tensor }; options: RopeOptions; saved: None };
}

export const attentionOps: OpTable<Signatures> = {
  attention: {
    forward: ({ q, k, v }, options, wanted) => {
      const result = native.attentionForward(q.handle, k.handle, v.handle, withHandles(options, options));
      const [y, logSumExp] = [made(result.y), made(result.logSumExp)];
      const any = wanted.q || wanted.k || wanted.v;
      const { keyMask, lengths, slopes } = options;
      const saved = any ? { q, k, v, y, logSumExp, keyMask, lengths, slopes } : {};
      return { output: y, saved, scratch: [logSumExp] };
    },
    backward: ({ dy, saved: { q, k, v, y, logSumExp, ...bias }, options, wanted }) => {
      const all = native.attentionBackward(
        dy.handle,
        q.handle,
        k.handle,
        v.handle,
        y.handle,
        logSumExp.handle,
        withHandles(options, bias),
      );
      return onlyWanted({ q: made(all.q), k: made(all.k), v: made(all.v) }, wanted);
    },
  },

  rope: {
    forward: ({ x }, options) => ({ output: made(native.rope(x.handle, options)) }),
    backward: ({ dy, options }) => ({ x: made(native.rope(dy.handle, { ...options, inverse: true })) }),
  },
};

/** Handles where the options have tensors. */
function withHandles(options: AttentionOptions, { keyMask, lengths, slopes }: AttentionBias): NativeAttention {
  const plain: Omit<AttentionOptions, keyof AttentionBias> = options;
  return {
    ...plain,
    ...(keyMask && { keyMask: keyMask.handle }),
    ...(lengths && { lengths: lengths.handle }),
    ...(slopes && { slopes: slopes.handle }),
  };
}

/**
 * Grouped-query attention, block by block: softmax(scale·q·kᵀ)·v, never whole in memory. Query i of a sequence stands at
 * position keys − queries + i; one that sees no key gets 0.
 *
 * @param q [batch·queries, heads·d] · @param k, v [batch·keys, kvHeads·d] · all f32
 * @param options causal (default: true), window, softCap, keyMask or lengths for padding, slopes (ALiBi); scale defaults to 1/√d
 * @returns as q
 * @example
 * attention(q, k, v, { batch: 1, heads: 8, kvHeads: 2, window: 128 });
 */
export const attention = (q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions) =>
  apply("attention", attentionOps.attention, { q, k, v }, options);
/**
 * Rotary positions (Su et al. 2021): pairs of each head's numbers turned by position·theta^(−2i/d), of x [batch·length, heads·headDim].
 * `scaling` stretches the frequencies as transformers' "linear", "dynamic", "llama3" and "yarn" do.
 */
export const rope = (x: Tensor, options: RopeOptions) => apply("rope", attentionOps.rope, { x }, options);
