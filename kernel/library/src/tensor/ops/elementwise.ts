import { apply } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { made, asRows, onlyWanted, type OpTable, type None } from "./table.js";

interface Signatures {
  add: { inputs: { a: Tensor; b: Tensor }; options: object; saved: None };
  addBias: { inputs: { x: Tensor; bias: Tensor }; options: object; saved: None };
  multiply: { inputs: { a: Tensor; b: Tensor }; options: object; saved: { a: Tensor; b: Tensor } };
  scale: { inputs: { x: Tensor }; options: { readonly factor: number }; saved: None };
  swiglu: { inputs: { gate: Tensor; up: Tensor }; options: object; saved: { gate: Tensor; up: Tensor } };
}

export const elementwiseOps: OpTable<Signatures> = {
  add: {
    forward: ({ a, b }) => ({ output: made(native.add(a.handle, b.handle)) }),
    backward: ({ dy }) => ({ a: dy, b: dy }),
  },

  addBias: {
    forward: ({ x, bias }) => ({ output: made(native.addBias(x.handle, bias.handle)) }),
    backward: ({ dy, wanted }) => ({ x: dy, bias: wanted.bias ? made(native.sumRows(asRows(dy).handle)) : undefined }),
  },

  multiply: {
    forward: ({ a, b }, _, wanted) => ({
      output: made(native.multiply(a.handle, b.handle)),
      saved: { a: wanted.b ? a : undefined, b: wanted.a ? b : undefined },
    }),
    backward: ({ dy, saved: { a, b }, wanted }) => ({
      a: wanted.a ? made(native.multiply(dy.handle, b.handle)) : undefined,
      b: wanted.b ? made(native.multiply(dy.handle, a.handle)) : undefined,
    }),
  },

  scale: {
    forward: ({ x }, { factor }) => ({ output: made(native.scale(x.handle, factor)) }),
    backward: ({ dy, options: { factor } }) => ({ x: made(native.scale(dy.handle, factor)) }),
  },

  swiglu: {
    forward: ({ gate, up }, _, wanted) => ({
      output: made(native.swigluForward(gate.handle, up.handle)),
      saved: wanted.gate || wanted.up ? { gate, up } : {},
    }),
    backward: ({ dy, saved: { gate, up }, wanted }) => {
      const all = native.swigluBackward(dy.handle, gate.handle, up.handle);
      return onlyWanted({ gate: made(all.gate), up: made(all.up) }, wanted);
    },
  },
};

/** Elementwise sum of two tensors of the same shape. */
export const add = (a: Tensor, b: Tensor) => apply("add", elementwiseOps.add, { a, b }, {});
/** x [.., n] + bias [n] */
export const addBias = (x: Tensor, bias: Tensor) => apply("addBias", elementwiseOps.addBias, { x, bias }, {});
/** Elementwise product of two tensors of the same shape. */
export const multiply = (a: Tensor, b: Tensor) => apply("multiply", elementwiseOps.multiply, { a, b }, {});
/** factor · x */
export const scale = (x: Tensor, factor: number) => apply("scale", elementwiseOps.scale, { x }, { factor });
/** silu(gate)·up */
export const swiglu = (gate: Tensor, up: Tensor) => apply("swiglu", elementwiseOps.swiglu, { gate, up }, {});
