import type { KvCache } from "./kv-cache.js";
import type { Linear } from "./linear.js";
import { Module } from "./module.js";
import { attention, rope, type RopeScaling } from "../tensor/ops.js";
import type { Precision } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";

/** Where the rows of an activation [batch·length, …] stand. */
export interface Positions {
  readonly batch: number;
  readonly length: number;
  /** Position of the first row of each sequence: more than 0 only with a cache. */
  readonly offset: number;
  readonly cache: KvCache | null;
}

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
}

/** Causal grouped-query attention with rotary positions. The layers' names are the checkpoints'. */
export class Attention extends Module {
  /** What queries, keys, values and probabilities are rounded to before they are multiplied. */
  precision: Precision = "f32";

  constructor(
    readonly q_proj: Linear,
    readonly k_proj: Linear,
    readonly v_proj: Linear,
    readonly o_proj: Linear,
    readonly layer: number,
    readonly geometry: AttentionShape,
  ) {
    super();
  }

  /** x [batch·length, hidden] → [batch·length, hidden] */
  forward(x: Tensor, { batch, length, offset, cache }: Positions): Tensor {
    const { heads, kvHeads, ropeTheta: theta, ropeScaling: scaling } = this.geometry;
    const turns = { length, theta, offset, ...(scaling && { scaling }) };
    const q = rope(this.q_proj.forward(x), { ...turns, heads });
    const ownK = rope(this.k_proj.forward(x), { ...turns, heads: kvHeads });
    const ownV = this.v_proj.forward(x);
    const { k, v } = cache === null ? { k: ownK, v: ownV } : cache.extend(this.layer, ownK, ownV, offset, length);
    return this.o_proj.forward(attention(q, k, v, { batch, heads, kvHeads, precision: this.precision }));
  }
}
