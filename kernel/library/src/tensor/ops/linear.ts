import { apply } from "../autograd.js";
import { native } from "../native.js";
import { toNative, type PackedMatrix } from "../packed.js";
import type { Tensor } from "../tensor.js";
import { made, asRows, type OpTable } from "./table.js";

export interface MatmulFlags {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly alpha?: number;
}

interface Signatures {
  linear: { inputs: { x: Tensor; weight: Tensor }; options: object; saved: { x: Tensor; weight: Tensor } };
  loraJoin: {
    inputs: { y: Tensor; x: Tensor; a: Tensor; b: Tensor };
    options: { readonly scaling: number };
    saved: { x: Tensor; a: Tensor; b: Tensor; h: Tensor };
  };
  matmul: { inputs: { a: Tensor; b: Tensor }; options: MatmulFlags; saved: { a: Tensor; b: Tensor } };
  packedLinear: {
    inputs: { x: Tensor; scales: Tensor };
    options: { readonly packed: PackedMatrix };
    saved: { x: Tensor; y: Tensor; scales: Tensor };
  };
}

export const linearOps: OpTable<Signatures> = {
  linear: {
    forward: ({ x, weight }, _, wanted) => ({
      output: made(native.matmul(x.handle, weight.handle, { transposeB: true })),
      saved: { x: wanted.weight ? x : undefined, weight: wanted.x ? weight : undefined },
    }),
    backward: ({ dy, saved: { x, weight }, wanted, into }) => ({
      x: wanted.x ? made(native.matmul(dy.handle, weight.handle, {})) : undefined,
      weight: wanted.weight ? product(asRows(dy), asRows(x), { transposeA: true }, into.weight) : undefined,
    }),
  },

  loraJoin: {
    forward: ({ y, x, a, b }, { scaling }, wanted) => {
      const h = made(native.matmul(x.handle, a.handle, { transposeB: true }));
      const needsCopy = y.shared || (y.requiresGrad && y.node === null);
      const output = needsCopy ? made(native.tensorCopy(y.handle, "activations", "loraJoin")) : y.alias();
      native.matmul(h.handle, b.handle, { transposeB: true, alpha: scaling, into: output.handle });
      const needsH = wanted.b ? h : undefined;
      const needsX = wanted.a ? x : undefined;
      return { output, saved: { x: needsX, h: needsH, a: wanted.x ? a : undefined, b }, scratch: [h] };
    },
    backward: ({ dy, saved: { x, a, b, h }, options: { scaling: alpha }, wanted, into }) => {
      const wantsDh = wanted.x || wanted.a;
      const dh = wantsDh ? made(native.matmul(dy.handle, b.handle, { alpha })) : undefined;
      return {
        y: wanted.y ? dy : undefined,
        x: wanted.x && dh ? made(native.matmul(dh.handle, a.handle, {})) : undefined,
        a: wanted.a && dh ? product(asRows(dh), asRows(x), { transposeA: true }, into.a) : undefined,
        b: wanted.b ? product(asRows(dy), asRows(h), { transposeA: true, alpha }, into.b) : undefined,
      };
    },
  },

  matmul: {
    forward: ({ a, b }, options, wanted) => ({
      output: made(native.matmul(a.handle, b.handle, { ...options })),
      saved: { a: wanted.b ? a : undefined, b: wanted.a ? b : undefined },
    }),
    backward: ({
      dy,
      saved: { a, b },
      options: { transposeA = false, transposeB = false, alpha = 1 },
      wanted,
      into,
    }) => ({
      // C = αAB: dA = α·dC·Bᵀ, dB = α·Aᵀ·dC; transposed operands swap sides.
      a: !wanted.a
        ? undefined
        : transposeA
          ? product(b, dy, { transposeA: transposeB, transposeB: true, alpha }, into.a)
          : product(dy, b, { transposeB: !transposeB, alpha }, into.a),
      b: !wanted.b
        ? undefined
        : transposeB
          ? product(dy, a, { transposeA: true, transposeB: transposeA, alpha }, into.b)
          : product(a, dy, { transposeA: !transposeA, alpha }, into.b),
    }),
  },

  packedLinear: {
    forward: ({ x, scales }, { packed }, wanted) => {
      const y = made(native.packedLinearForward(x.handle, toNative(packed)));
      // The scales may be computed on the tape, and then live no longer than the layer's scope.
      if (!wanted.scales) return { output: y, saved: wanted.x ? { scales } : {} };
      return { output: y, saved: packed.group === 0 ? { y, scales } : { x, scales } };
    },
    backward: ({ dy, saved: { x, y, scales }, options: { packed }, wanted }) => {
      const weight = toNative({ ...packed, scales });
      return {
        x: wanted.x ? made(native.packedLinearBackwardInput(dy.handle, weight)) : undefined,
        scales: !wanted.scales
          ? undefined
          : packed.group === 0
            ? made(native.packedLinearBackwardScalesFromOutput(dy.handle, y.handle, scales.handle))
            : made(native.packedLinearBackwardScales(dy.handle, x.handle, weight)),
      };
    },
  },
};

/** x [n, in] · weightᵀ, weight [out, in] → [n, out] */
export const linear = (x: Tensor, weight: Tensor) => apply("linear", linearOps.linear, { x, weight }, {});
/** y + scaling·(x·aᵀ)·bᵀ: y [n, out], x [n, in], a [rank, in], b [out, rank]. Writes into y's bytes unless y is a leaf or something else holds them: do not use y afterwards. */
export const loraJoin = (y: Tensor, x: Tensor, a: Tensor, b: Tensor, scaling: number) =>
  apply("loraJoin", linearOps.loraJoin, { y, x, a, b }, { scaling });
/** alpha · op(a) · op(b) of two matrices. */
export const matmul = (a: Tensor, b: Tensor, options: MatmulFlags = {}) =>
  apply("matmul", linearOps.matmul, { a, b }, options);
/** x [n, in] · Wᵀ straight from codes → [n, out]; gradients to x and to scales. */
export const packedLinear = (x: Tensor, packed: PackedMatrix) =>
  apply("packedLinear", linearOps.packedLinear, { x, scales: packed.scales }, { packed });

/** op(a)·op(b), added to `into` where that is given. */
function product(a: Tensor, b: Tensor, flags: MatmulFlags, into: Tensor | undefined): Tensor {
  if (into === undefined) return made(native.matmul(a.handle, b.handle, { ...flags }));
  native.matmul(a.handle, b.handle, { ...flags, into: into.handle });
  into.touched();
  return into;
}
