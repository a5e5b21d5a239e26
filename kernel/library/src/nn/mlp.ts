import type { Linear } from "./linear.js";
import { Module } from "./module.js";
import { swiglu } from "../tensor/ops.js";
import type { Tensor } from "../tensor/tensor.js";

/** SwiGLU: down(silu(gate(x)) · up(x))   (Shazeer 2020). The layers' names are the checkpoints'. */
export class GatedMlp extends Module {
  constructor(
    readonly gate_proj: Linear,
    readonly up_proj: Linear,
    readonly down_proj: Linear,
  ) {
    super();
  }

  /** x [n, hidden] → [n, hidden] */
  forward(x: Tensor): Tensor {
    return this.down_proj.forward(swiglu(this.gate_proj.forward(x), this.up_proj.forward(x)));
  }
}
