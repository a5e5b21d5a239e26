import { Module } from "./module.js";
import { rmsNorm } from "../tensor/ops.js";
import type { Tensor } from "../tensor/tensor.js";

/** y = x / √(mean(x²) + epsilon) · weight   (Zhang and Sennrich 2019) */
export class RmsNorm extends Module {
  /** @param weight [hidden] f32 */
  constructor(
    readonly weight: Tensor,
    readonly epsilon: number,
  ) {
    super();
  }

  /** x [n, hidden] → [n, hidden] */
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight, this.epsilon);
  }
}
