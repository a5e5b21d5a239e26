import { apply, type OpSignature } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { asRows, made, type None, type OpTable } from "./table.js";

type Pair = { a: Tensor; b: Tensor };
export interface UnarySignature<Saved extends OpSignature["saved"]> {
  inputs: { x: Tensor };
  options: object;
  saved: Saved;
}
interface Signatures {
  add: { inputs: Pair; options: BesideRows; saved: None };
  subtract: { inputs: Pair; options: BesideRows; saved: None };
  multiply: { inputs: Pair; options: BesideRows; saved: Pair };
  divide: { inputs: Pair; options: BesideRows; saved: { b: Tensor; y: Tensor } };
  scale: { inputs: { x: Tensor }; options: { readonly factor: number }; saved: None };
  addScalar: { inputs: { x: Tensor }; options: { readonly value: number }; saved: None };
  exp: UnarySignature<{ y: Tensor }>;
  log: UnarySignature<{ x: Tensor }>;
  sqrt: UnarySignature<{ y: Tensor }>;
}
export interface BesideRows {
  /** b is a vector [n] beside every row of a [.., n]. */
  readonly vector: boolean;
}

/** The gradient of b: summed over rows where it stood beside every one. */
const reduced = (gradient: Tensor, { vector }: BesideRows) =>
  vector ? made(native.sumRows(asRows(gradient).handle)) : gradient;
const times = (a: Tensor, b: Tensor) => made(native.multiply(a.handle, b.handle));
const scaled = (x: Tensor, factor: number) => made(native.scale(x.handle, factor));

export const elementwiseOps: OpTable<Signatures> = {
  add: {
    forward: ({ a, b }) => ({ output: made(native.add(a.handle, b.handle)) }),
    backward: ({ dy, options, wanted }) => ({ a: dy, b: wanted.b ? reduced(dy, options) : undefined }),
  },

  subtract: {
    forward: ({ a, b }) => ({ output: made(native.subtract(a.handle, b.handle)) }),
    backward: ({ dy, options, wanted }) => ({ a: dy, b: wanted.b ? scaled(reduced(dy, options), -1) : undefined }),
  },

  multiply: {
    forward: ({ a, b }, _, wanted) => ({
      output: times(a, b),
      saved: { a: wanted.b ? a : undefined, b: wanted.a ? b : undefined },
    }),
    backward: ({ dy, saved: { a, b }, options, wanted }) => ({
      a: wanted.a ? times(dy, b) : undefined,
      b: wanted.b ? reduced(times(dy, a), options) : undefined,
    }),
  },

  divide: {
    forward: ({ a, b }, _, wanted) => {
      const y = made(native.divide(a.handle, b.handle));
      return { output: y, saved: { b, y: wanted.b ? y : undefined } };
    },
    backward: ({ dy, saved: { b, y }, options, wanted }) => {
      const da = made(native.divide(dy.handle, b.handle));
      return { a: wanted.a ? da : undefined, b: wanted.b ? scaled(reduced(times(da, y), options), -1) : undefined };
    },
  },

  scale: {
    forward: ({ x }, { factor }) => ({ output: scaled(x, factor) }),
    backward: ({ dy, options: { factor } }) => ({ x: scaled(dy, factor) }),
  },

  addScalar: {
    forward: ({ x }, { value }) => ({ output: made(native.addScalar(x.handle, value)) }),
    backward: ({ dy }) => ({ x: dy }),
  },

  exp: {
    forward: ({ x }) => {
      const y = made(native.exp(x.handle));
      return { output: y, saved: { y } };
    },
    backward: ({ dy, saved: { y } }) => ({ x: times(dy, y) }),
  },

  log: {
    forward: ({ x }) => ({ output: made(native.log(x.handle)), saved: { x } }),
    backward: ({ dy, saved: { x } }) => ({ x: made(native.divide(dy.handle, x.handle)) }),
  },

  sqrt: {
    forward: ({ x }) => {
      const y = made(native.sqrt(x.handle));
      return { output: y, saved: { y } };
    },
    backward: ({ dy, saved: { y } }) => ({ x: scaled(made(native.divide(dy.handle, y.handle)), 0.5) }),
  },
};

const besideRows = (a: Tensor, b: Tensor): BesideRows => ({ vector: b.shape.length === 1 && a.shape.length > 1 });

/** a + b, of one shape, or b a vector [n] beside every row of a [.., n]. */
export const add = (a: Tensor, b: Tensor) => apply("add", elementwiseOps.add, { a, b }, besideRows(a, b));
/** a − b, shapes as in `add`. */
export const subtract = (a: Tensor, b: Tensor) =>
  apply("subtract", elementwiseOps.subtract, { a, b }, besideRows(a, b));
/** a·b element by element, shapes as in `add`. */
export const multiply = (a: Tensor, b: Tensor) =>
  apply("multiply", elementwiseOps.multiply, { a, b }, besideRows(a, b));
/** a/b element by element, shapes as in `add`. */
export const divide = (a: Tensor, b: Tensor) => apply("divide", elementwiseOps.divide, { a, b }, besideRows(a, b));
/** x [.., n] + bias [n] */
export const addBias = add;
/** factor · x */
export const scale = (x: Tensor, factor: number) => apply("scale", elementwiseOps.scale, { x }, { factor });
/** x + value */
export const addScalar = (x: Tensor, value: number) => apply("addScalar", elementwiseOps.addScalar, { x }, { value });
/** e^x */
export const exp = (x: Tensor) => apply("exp", elementwiseOps.exp, { x }, {});
/** The natural logarithm. */
export const log = (x: Tensor) => apply("log", elementwiseOps.log, { x }, {});
/** √x */
export const sqrt = (x: Tensor) => apply("sqrt", elementwiseOps.sqrt, { x }, {});
