import type { Precision } from "@nibble-lab/native";
import { apply } from "../autograd.js";
import { native } from "../native.js";
import { toNative, type PackedMatrix } from "../packed.js";
import { Tensor } from "../tensor.js";
import { made, asRows, type OpTable } from "./table.js";

/** Of every matrix product. */
export interface ProductOptions {
  /** What both operands are rounded to before they are multiplied, forward and backward; sums are f32. Default "f32". */
  readonly precision?: Precision;
}
export interface MatmulFlags extends ProductOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly alpha?: number;
}

interface Signatures {
  linear: {
    inputs: { x: Tensor; weight: Tensor; bias?: Tensor; residual?: Tensor };
    options: ProductOptions;
    saved: { x: Tensor; weight: Tensor };
  };
  loraJoin: {
    inputs: { y: Tensor; x: Tensor; a: Tensor; b: Tensor };
    options: ProductOptions & { readonly scaling: number };
    saved: { x: Tensor; a: Tensor; b: Tensor; h: Tensor };
  };
  matmul: { inputs: { a: Tensor; b: Tensor }; options: MatmulFlags; saved: { a: Tensor; b: Tensor } };
  batchedMatmul: { inputs: { a: Tensor; b: Tensor }; options: MatmulFlags; saved: { a: Tensor; b: Tensor } };
  packedLinear: {
    inputs: { x: Tensor; scales: Tensor; zeroPoints?: Tensor };
    options: { readonly packed: PackedMatrix; readonly precision: Precision | undefined };
    saved: { x: Tensor; y: Tensor; scales: Tensor; zeroPoints: Tensor };
  };
}

export const linearOps: OpTable<Signatures> = {
  linear: {
    forward: ({ x, weight, bias, residual }, options, wanted) => ({
      output: made(
        native.matmul(x.handle, weight.handle, {
          ...options,
          transposeB: true,
          ...(bias && { bias: bias.handle }),
          ...(residual && { residual: residual.handle }),
        }),
      ),
      saved: { x: wanted.weight ? x : undefined, weight: wanted.x ? weight : undefined },
    }),
    backward: ({ dy, saved: { x, weight }, options, wanted, into }) => ({
      x: wanted.x ? made(native.matmul(dy.handle, weight.handle, { ...options })) : undefined,
      weight: wanted.weight ? product(asRows(dy), asRows(x), { ...options, transposeA: true }, into.weight) : undefined,
      bias: wanted.bias === true ? made(native.sumRows(asRows(dy).handle)) : undefined,
      residual: wanted.residual === true ? dy : undefined,
    }),
  },

  loraJoin: {
    forward: ({ y, x, a, b }, { scaling: alpha, ...options }, wanted) => {
      const h = made(native.matmul(x.handle, a.handle, { ...options, transposeB: true }));
      const needsCopy = y.shared || (y.requiresGrad && y.node === null);
      const output = needsCopy ? made(native.tensorCopy(y.handle, "activations", "loraJoin")) : y.alias();
      native.matmul(h.handle, b.handle, { ...options, transposeB: true, alpha, into: output.handle });
      const needsH = wanted.b ? h : undefined;
      const needsX = wanted.a ? x : undefined;
      return { output, saved: { x: needsX, h: needsH, a: wanted.x ? a : undefined, b }, scratch: [h] };
    },
    backward: ({ dy, saved: { x, a, b, h }, options: { scaling: alpha, ...options }, wanted, into }) => {
      const wantsDh = wanted.x || wanted.a;
      const dh = wantsDh ? made(native.matmul(dy.handle, b.handle, { ...options, alpha })) : undefined;
      return {
        y: wanted.y ? dy : undefined,
        x: wanted.x && dh ? made(native.matmul(dh.handle, a.handle, { ...options })) : undefined,
        a: wanted.a && dh ? product(asRows(dh), asRows(x), { ...options, transposeA: true }, into.a) : undefined,
        b: wanted.b ? product(asRows(dy), asRows(h), { ...options, transposeA: true, alpha }, into.b) : undefined,
      };
    },
  },

  matmul: {
    forward: ({ a, b }, options, wanted) => ({
      output: made(native.matmul(a.handle, b.handle, { ...options })),
      saved: { a: wanted.b ? a : undefined, b: wanted.a ? b : undefined },
    }),
    backward: ({ dy, saved: { a, b }, options, wanted, into }) => ({
      a: wanted.a ? product(...leftGradient(dy, b, options), into.a) : undefined,
      b: wanted.b ? product(...rightGradient(dy, a, options), into.b) : undefined,
    }),
  },

  batchedMatmul: {
    forward: ({ a, b }, options, wanted) => ({
      output: made(native.batchedMatmul(a.handle, b.handle, { ...options })),
      saved: { a: wanted.b ? a : undefined, b: wanted.a ? b : undefined },
    }),
    backward: ({ dy, saved: { a, b }, options, wanted }) => ({
      a: wanted.a ? batchedProduct(...leftGradient(dy, b, options)) : undefined,
      b: wanted.b ? batchedProduct(...rightGradient(dy, a, options)) : undefined,
    }),
  },

  packedLinear: {
    forward: ({ x, scales, zeroPoints }, { packed, precision }, wanted) => {
      const y = made(native.packedLinearForward(x.handle, toNative(packed), precision));
      // The grid may be computed on the tape, and then lives no longer than the layer's scope.
      const grid = Object.values(wanted).includes(true) ? { scales, zeroPoints } : {};
      const perChannel = packed.group === 0;
      const needsX = wanted.zeroPoints === true || (wanted.scales && !perChannel);
      return {
        output: y,
        saved: { ...grid, x: needsX ? x : undefined, y: wanted.scales && perChannel ? y : undefined },
      };
    },
    backward: ({ dy, saved: { x, y, scales, zeroPoints }, options: { packed, precision }, wanted }) => {
      const now: PackedMatrix = { ...packed, scales, ...(zeroPoints && { zeroPoints }) };
      const weight = toNative(now);
      return {
        x: wanted.x ? made(native.packedLinearBackwardInput(dy.handle, weight, precision)) : undefined,
        scales: !wanted.scales
          ? undefined
          : packed.group === 0
            ? made(native.packedLinearBackwardScalesFromOutput(dy.handle, y.handle, scales.handle))
            : made(native.packedLinearBackwardScales(dy.handle, x.handle, weight, precision)),
        zeroPoints: wanted.zeroPoints === true ? zeroPointGradient(asRows(dy), asRows(x), now) : undefined,
      };
    },
  },
};

/** x [n, in] · weightᵀ + bias + residual: weight [out, in] f32 (bf16 or f16 where it does not train), bias [out], residual [n, out] → [n, out] */
export const linear = (
  x: Tensor,
  weight: Tensor,
  { bias, residual, ...options }: ProductOptions & { readonly bias?: Tensor; readonly residual?: Tensor } = {},
) => apply("linear", linearOps.linear, { x, weight, ...(bias && { bias }), ...(residual && { residual }) }, options);
/** y + scaling·(x·aᵀ)·bᵀ: y [n, out], x [n, in], a [rank, in], b [out, rank]. Writes into y's bytes unless y is a leaf or something else holds them: do not use y afterwards. */
export const loraJoin = (y: Tensor, x: Tensor, a: Tensor, b: Tensor, scaling: number, options: ProductOptions = {}) =>
  apply("loraJoin", linearOps.loraJoin, { y, x, a, b }, { ...options, scaling });
/** alpha · op(a) · op(b) of two matrices. */
export const matmul = (a: Tensor, b: Tensor, options: MatmulFlags = {}) =>
  apply("matmul", linearOps.matmul, { a, b }, options);
/** alpha · op(a[i]) · op(b[i]) for each i: a [batch, m, k], b [batch, k, n] → [batch, m, n] */
export const batchedMatmul = (a: Tensor, b: Tensor, options: MatmulFlags = {}) =>
  apply("batchedMatmul", linearOps.batchedMatmul, { a, b }, options);
/** x [n, in] · Wᵀ straight from codes → [n, out]; gradients to x, to scales and to zero-points. */
export const packedLinear = (x: Tensor, packed: PackedMatrix, { precision }: ProductOptions = {}) => {
  const inputs = { x, scales: packed.scales, ...(packed.zeroPoints && { zeroPoints: packed.zeroPoints }) };
  return apply("packedLinear", linearOps.packedLinear, inputs, { packed, precision });
};

/** ∂L/∂z_iγ = −s_iγ·Σ_t dy_ti·Σ_{j∈γ} x_tj: sums of x over each group, then one thin product. */
function zeroPointGradient(dy: Tensor, x: Tensor, { scales, columns, group }: PackedMatrix): Tensor {
  const size = group === 0 ? columns : group;
  const groups = columns / size;
  const parts = made(native.tensorReshape(x.handle, [x.shape[0]! * groups, size]));
  const ones = Tensor.full([size, 1], 1, { owner: "packedLinear", device: x.device });
  const sums = made(
    native.tensorReshape(made(native.matmul(parts.handle, ones.handle, {})).handle, [x.shape[0]!, groups]),
  );
  const summed = made(native.matmul(dy.handle, sums.handle, { transposeA: true, alpha: -1 }));
  return made(native.multiply(summed.handle, scales.handle));
}

type Product = [left: Tensor, right: Tensor, flags: MatmulFlags];

/** C = αAB: dA = α·dC·Bᵀ; where A is transposed, the sides are swapped. */
function leftGradient(dy: Tensor, b: Tensor, { transposeA, transposeB = false, ...options }: MatmulFlags): Product {
  return transposeA === true
    ? [b, dy, { ...options, transposeA: transposeB, transposeB: true }]
    : [dy, b, { ...options, transposeB: !transposeB }];
}

/** C = αAB: dB = α·Aᵀ·dC; where B is transposed, the sides are swapped. */
function rightGradient(dy: Tensor, a: Tensor, { transposeA = false, transposeB, ...options }: MatmulFlags): Product {
  return transposeB === true
    ? [dy, a, { ...options, transposeA: true, transposeB: transposeA }]
    : [a, dy, { ...options, transposeA: !transposeA }];
}

function batchedProduct(a: Tensor, b: Tensor, flags: MatmulFlags): Tensor {
  return made(native.batchedMatmul(a.handle, b.handle, { ...flags }));
}

/** op(a)·op(b), added to `into` where that is given. */
function product(a: Tensor, b: Tensor, flags: MatmulFlags, into: Tensor | undefined): Tensor {
  if (into === undefined) return made(native.matmul(a.handle, b.handle, { ...flags }));
  native.matmul(a.handle, b.handle, { ...flags, into: into.handle });
  into.touched();
  return into;
}
