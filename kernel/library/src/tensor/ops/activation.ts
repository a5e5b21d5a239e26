import type { Activation } from "@nibble-lab/native";
import { apply } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { asRows, made, onlyWanted, type None, type OpTable } from "./table.js";

export type { Activation } from "@nibble-lab/native";

export interface ActivationOptions {
  readonly kind: Activation;
}
/** Where a random stream stands; the same numbers drop the same elements. */
export interface DropoutOptions {
  /** Probability with which an element becomes 0. */
  readonly p: number;
  /** A safe integer. */
  readonly seed: number;
  /** Number of the call under this seed, a safe integer. Default: 0. */
  readonly offset?: number;
}
interface Signatures {
  activation: { inputs: { x: Tensor }; options: ActivationOptions; saved: { x: Tensor } };
  biasActivation: {
    inputs: { x: Tensor; bias: Tensor };
    options: ActivationOptions;
    saved: { x: Tensor; bias: Tensor };
  };
  gatedActivation: {
    inputs: { gate: Tensor; up: Tensor };
    options: ActivationOptions;
    saved: { gate: Tensor; up: Tensor };
  };
  softmax: { inputs: { x: Tensor }; options: object; saved: { y: Tensor } };
  logSoftmax: { inputs: { x: Tensor }; options: object; saved: { y: Tensor } };
  dropout: { inputs: { x: Tensor }; options: DropoutOptions; saved: None };
}

export const activationOps: OpTable<Signatures> = {
  activation: {
    forward: ({ x }, { kind }) => ({ output: made(native.activationForward(x.handle, undefined, kind)), saved: { x } }),
    backward: ({ dy, saved: { x }, options: { kind } }) => ({
      x: made(native.activationBackward(dy.handle, x.handle, undefined, kind)),
    }),
  },

  biasActivation: {
    forward: ({ x, bias }, { kind }) => ({
      output: made(native.activationForward(x.handle, bias.handle, kind)),
      saved: { x, bias },
    }),
    backward: ({ dy, saved: { x, bias }, options: { kind }, wanted }) => {
      const dx = made(native.activationBackward(dy.handle, x.handle, bias.handle, kind));
      return { x: dx, bias: wanted.bias ? made(native.sumRows(asRows(dx).handle)) : undefined };
    },
  },

  gatedActivation: {
    forward: ({ gate, up }, { kind }) => ({
      output: made(native.gatedActivationForward(gate.handle, up.handle, kind)),
      saved: { gate, up },
    }),
    backward: ({ dy, saved: { gate, up }, options: { kind }, wanted }) => {
      const all = native.gatedActivationBackward(dy.handle, gate.handle, up.handle, kind);
      return onlyWanted({ gate: made(all.gate), up: made(all.up) }, wanted);
    },
  },

  softmax: {
    forward: ({ x }) => {
      const y = made(native.softmax(x.handle));
      return { output: y, saved: { y } };
    },
    backward: ({ dy, saved: { y } }) => ({ x: made(native.softmaxBackward(dy.handle, y.handle)) }),
  },

  logSoftmax: {
    forward: ({ x }) => {
      const y = made(native.logSoftmax(x.handle));
      return { output: y, saved: { y } };
    },
    backward: ({ dy, saved: { y } }) => ({ x: made(native.logSoftmaxBackward(dy.handle, y.handle)) }),
  },

  dropout: {
    forward: ({ x }, options) => ({ output: dropped(x, options) }),
    backward: ({ dy, options }) => ({ x: dropped(dy, options) }),
  },
};

function dropped(x: Tensor, { p, seed, offset = 0 }: DropoutOptions): Tensor {
  return made(native.dropout(x.handle, p, seed, offset));
}

/** f(x): "relu", "silu" (x·σ(x)), "gelu" (x·Φ(x)) or "geluTanh" (its approximation by tanh). */
export const activation = (x: Tensor, kind: Activation) =>
  apply("activation", activationOps.activation, { x }, { kind });
/** f(x [.., n] + bias [n]) in one pass over memory. */
export const biasActivation = (x: Tensor, bias: Tensor, kind: Activation) =>
  apply("biasActivation", activationOps.biasActivation, { x, bias }, { kind });
/** f(gate)·up: with "silu" SwiGLU, with "gelu" GEGLU   (Shazeer 2020) */
export const gatedActivation = (gate: Tensor, up: Tensor, kind: Activation) =>
  apply("gatedActivation", activationOps.gatedActivation, { gate, up }, { kind });
/** silu(gate)·up */
export const swiglu = (gate: Tensor, up: Tensor) => gatedActivation(gate, up, "silu");
/** e^x / Σ e^x over the last dimension. */
export const softmax = (x: Tensor) => apply("softmax", activationOps.softmax, { x }, {});
/** x − log Σ e^x over the last dimension. */
export const logSoftmax = (x: Tensor) => apply("logSoftmax", activationOps.logSoftmax, { x }, {});
/** Elements become 0 with probability p, the others are divided by 1 − p. Which ones depends on (seed, offset) alone, on every device. */
export const dropout = (x: Tensor, options: DropoutOptions) => apply("dropout", activationOps.dropout, { x }, options);
