import { apply } from "../autograd.js";
import type { Category, DType } from "../dtype.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { made, type None, type OpTable } from "./table.js";

interface Signatures {
  cast: {
    inputs: { x: Tensor };
    options: { readonly dtype: DType; readonly from: DType; readonly category: Category; readonly owner: string };
    saved: None;
  };
  gatherRows: {
    inputs: { x: Tensor };
    options: { readonly rows: Tensor; readonly count: number };
    saved: { rows: Tensor };
  };
  permute: { inputs: { x: Tensor }; options: { readonly axes: readonly number[] }; saved: None };
  reshape: {
    inputs: { x: Tensor };
    options: { readonly shape: readonly number[]; readonly from: readonly number[] };
    saved: None;
  };
  scatterRows: {
    inputs: { x: Tensor };
    options: { readonly rows: Tensor; readonly count: number };
    saved: { rows: Tensor };
  };
  transpose: { inputs: { x: Tensor }; options: object; saved: None };
}

export const shapeOps: OpTable<Signatures> = {
  cast: {
    forward: ({ x }, { dtype, category, owner }) => ({
      output: made(native.tensorCast(x.handle, dtype, category, owner)),
    }),
    backward: ({ dy, options: { from } }) => ({ x: made(native.tensorCast(dy.handle, from, "gradients", "cast")) }),
  },

  gatherRows: {
    forward: ({ x }, { rows }) => ({ output: made(native.gatherRows(x.handle, rows.handle)), saved: { rows } }),
    backward: ({ dy, saved: { rows }, options: { count } }) => ({
      x: made(native.scatterRows(dy.handle, rows.handle, count)),
    }),
  },

  permute: {
    forward: ({ x }, { axes }) => ({ output: made(native.permute(x.handle, [...axes])) }),
    backward: ({ dy, options: { axes } }) => ({
      x: made(
        native.permute(
          dy.handle,
          axes.map((_, i) => axes.indexOf(i)),
        ),
      ),
    }),
  },

  reshape: {
    forward: ({ x }, { shape }) => ({ output: made(native.tensorReshape(x.handle, [...shape])) }),
    backward: ({ dy, options: { from } }) => ({ x: made(native.tensorReshape(dy.handle, [...from])) }),
  },

  scatterRows: {
    forward: ({ x }, { rows, count }) => ({
      output: made(native.scatterRows(x.handle, rows.handle, count)),
      saved: { rows },
    }),
    backward: ({ dy, saved: { rows } }) => ({ x: made(native.gatherRows(dy.handle, rows.handle)) }),
  },

  transpose: {
    forward: ({ x }) => ({ output: made(native.transpose(x.handle)) }),
    backward: ({ dy }) => ({ x: made(native.transpose(dy.handle)) }),
  },
};

/** The same numbers in another dtype, ties to even; a gradient is rounded to the input's dtype likewise. */
export const cast = (x: Tensor, dtype: DType, category: Category = "activations", owner = "cast") =>
  apply("cast", shapeOps.cast, { x }, { dtype, from: x.dtype, category, owner });
/** The rows of dimension 0 that `rows` (i32 [n]) names. */
export const gatherRows = (x: Tensor, rows: Tensor) =>
  apply("gatherRows", shapeOps.gatherRows, { x }, { rows, count: x.shape[0] ?? 0 });
/** Dimension i of the result is dimension axes[i] of x. */
export const permute = (x: Tensor, axes: readonly number[]) => apply("permute", shapeOps.permute, { x }, { axes });
/** The same numbers in another shape, over the same bytes. */
export const reshape = (x: Tensor, shape: readonly number[]) =>
  apply("reshape", shapeOps.reshape, { x }, { shape, from: x.shape });
/** Zeros [count, …], to whose row rows[i] (i32 [n]) row i of x [n, …] is added. */
export const scatterRows = (x: Tensor, rows: Tensor, count: number) =>
  apply("scatterRows", shapeOps.scatterRows, { x }, { rows, count });
/** [a, b] → [b, a] */
export const transpose = (x: Tensor) => apply("transpose", shapeOps.transpose, { x }, {});
