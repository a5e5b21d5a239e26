import { Module } from "./module.js";
import { layerNorm, rmsNorm } from "../tensor/ops.js";
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

/** y = (x − mean(x)) / √(var(x) + epsilon) · weight + bias   (Ba, Kiros and Hinton 2016) */
export class LayerNorm extends Module {
  /** @param weight [hidden] f32 · @param bias [hidden] f32 */
  constructor(
    readonly weight: Tensor,
    readonly bias: Tensor,
    readonly epsilon: number,
  ) {
    super();
  }

  /** x [n, hidden] → [n, hidden] */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.epsilon);
  }
}
