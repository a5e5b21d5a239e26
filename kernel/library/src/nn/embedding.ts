import { Module } from "./module.js";
import { embedding } from "../tensor/ops.js";
import type { Tensor } from "../tensor/tensor.js";

/** A vector per token. */
export class Embedding extends Module {
  /** @param weight [vocab, hidden] f32 */
  constructor(readonly weight: Tensor) {
    super();
  }

  /** ids i32 [n] → [n, hidden] */
  forward(ids: Tensor): Tensor {
    return embedding(ids, this.weight);
  }
}
