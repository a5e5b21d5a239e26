import type { AttentionOptions, RopeOptions } from "@nibble-lab/native";
import { apply, type OpRule } from "./autograd.js";
import { native } from "./native.js";
import { toNative, type PackedMatrix } from "./packed.js";
import { Tensor } from "./tensor.js";

export type { AttentionOptions, RopeOptions } from "@nibble-lab/native";

type None = Readonly<Record<never, Tensor>>;
type Attention = Omit<AttentionOptions, "scale"> & { readonly scale?: number };
type Rope = Omit<RopeOptions, "inverse">;
export interface MatmulFlags {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly alpha?: number;
}
export interface LossOptions {
  /** Targets with this value do not count. */
  readonly ignoreIndex?: number;
}

/** Every differentiable operation: its inputs, its options, and what its gradient may ask to be saved. The table below must have a rule for each. */
interface Signatures {
  add: { inputs: { a: Tensor; b: Tensor }; options: object; saved: None };
  addBias: { inputs: { x: Tensor; bias: Tensor }; options: object; saved: None };
  attention: {
    inputs: { q: Tensor; k: Tensor; v: Tensor };
    options: Attention;
    saved: { q: Tensor; k: Tensor; v: Tensor; y: Tensor; logSumExp: Tensor };
  };
  embedding: { inputs: { weight: Tensor }; options: { readonly ids: Tensor }; saved: { ids: Tensor; weight: Tensor } };
  linear: { inputs: { x: Tensor; weight: Tensor }; options: object; saved: { x: Tensor; weight: Tensor } };
  linearCrossEntropy: {
    inputs: { x: Tensor; weight: Tensor };
    options: LossOptions & { readonly targets: Tensor };
    saved: { dx: Tensor; dWeight: Tensor; tokens: Tensor };
  };
  loraJoin: {
    inputs: { y: Tensor; x: Tensor; a: Tensor; b: Tensor };
    options: { readonly scaling: number };
    saved: { x: Tensor; a: Tensor; b: Tensor; h: Tensor };
  };
  matmul: { inputs: { a: Tensor; b: Tensor }; options: MatmulFlags; saved: { a: Tensor; b: Tensor } };
  multiply: { inputs: { a: Tensor; b: Tensor }; options: object; saved: { a: Tensor; b: Tensor } };
  packedLinear: {
    inputs: { x: Tensor; scales: Tensor };
    options: { readonly packed: PackedMatrix };
    saved: { x: Tensor; y: Tensor; scales: Tensor };
  };
  reshape: {
    inputs: { x: Tensor };
    options: { readonly shape: readonly number[]; readonly from: readonly number[] };
    saved: None;
  };
  rmsNorm: {
    inputs: { x: Tensor; weight: Tensor };
    options: { readonly epsilon: number };
    saved: { x: Tensor; weight: Tensor; rstd: Tensor };
  };
  rope: { inputs: { x: Tensor }; options: Rope; saved: None };
  scale: { inputs: { x: Tensor }; options: { readonly factor: number }; saved: None };
  sum: { inputs: { x: Tensor }; options: { readonly shape: readonly number[] }; saved: None };
  swiglu: { inputs: { gate: Tensor; up: Tensor }; options: object; saved: { gate: Tensor; up: Tensor } };
}
export type OpName = keyof Signatures;
type Table = { readonly [K in OpName]: OpRule<Signatures[K]> };

const made = (handle: number) => Tensor.adopt(handle);

/** The one list of operations; a new one has its signature above, its rule here and its case in test/library/tensor/ops.test.ts. */
export const ops: Table = {
  add: {
    forward: ({ a, b }) => ({ output: made(native.add(a.handle, b.handle)) }),
    backward: ({ dy }) => ({ a: dy, b: dy }),
  },

  addBias: {
    forward: ({ x, bias }) => ({ output: made(native.addBias(x.handle, bias.handle)) }),
    backward: ({ dy, wanted }) => ({ x: dy, bias: wanted.bias ? made(native.sumRows(asRows(dy).handle)) : undefined }),
  },

  attention: {
    forward: ({ q, k, v }, options, wanted) => {
      const result = native.attentionForward(q.handle, k.handle, v.handle, options);
      const [y, logSumExp] = [made(result.y), made(result.logSumExp)];
      const any = wanted.q || wanted.k || wanted.v;
      return { output: y, saved: any ? { q, k, v, y, logSumExp } : {}, scratch: [logSumExp] };
    },
    backward: ({ dy, saved: { q, k, v, y, logSumExp }, options, wanted }) => {
      const all = native.attentionBackward(
        dy.handle,
        q.handle,
        k.handle,
        v.handle,
        y.handle,
        logSumExp.handle,
        options,
      );
      return onlyWanted({ q: made(all.q), k: made(all.k), v: made(all.v) }, wanted);
    },
  },

  embedding: {
    forward: ({ weight }, { ids }, wanted) => ({
      output: made(native.embeddingForward(ids.handle, weight.handle)),
      saved: wanted.weight ? { ids, weight } : {},
    }),
    backward: ({ dy, saved: { ids, weight }, into }) => {
      const target = into.weight ?? Tensor.zeros(weight.shape, { category: "gradients", owner: "embedding" });
      native.embeddingBackward(ids.handle, dy.handle, target.handle);
      target.touched();
      return { weight: target };
    },
  },

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

  linearCrossEntropy: {
    forward: ({ x, weight }, { targets, ignoreIndex }, wanted) => {
      const result = native.linearCrossEntropy(x.handle, weight.handle, targets.handle, {
        wantInput: wanted.x,
        wantWeight: wanted.weight,
        ...(ignoreIndex !== undefined && { ignoreIndex }),
      });
      const count = Math.max(1, result.tokens);
      const saved = {
        dx: result.input === undefined ? undefined : made(result.input),
        dWeight: result.weight === undefined ? undefined : made(result.weight),
        tokens: Tensor.full([1], count, { owner: "linearCrossEntropy" }),
      };
      const output = Tensor.full([1], result.loss / count, { owner: "linearCrossEntropy" });
      return { output, saved, scratch: Object.values(saved).filter((tensor) => tensor !== undefined) };
    },
    backward: ({ dy, saved: { dx, dWeight, tokens }, wanted }) => {
      const factor = dy.item() / tokens.item();
      for (const gradient of [dx, dWeight] as (Tensor | undefined)[]) {
        if (gradient !== undefined) native.scaleInPlace(gradient.handle, factor);
      }
      return { x: wanted.x ? dx : undefined, weight: wanted.weight ? dWeight : undefined };
    },
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

  reshape: {
    forward: ({ x }, { shape }) => ({ output: made(native.tensorReshape(x.handle, [...shape])) }),
    backward: ({ dy, options: { from } }) => ({ x: made(native.tensorReshape(dy.handle, [...from])) }),
  },

  rmsNorm: {
    forward: ({ x, weight }, { epsilon }, wanted) => {
      const result = native.rmsNormForward(x.handle, weight.handle, epsilon);
      const rstd = made(result.rstd);
      return { output: made(result.y), saved: wanted.x || wanted.weight ? { x, weight, rstd } : {}, scratch: [rstd] };
    },
    backward: ({ dy, saved: { x, weight, rstd }, wanted }) => {
      const all = native.rmsNormBackward(dy.handle, x.handle, weight.handle, rstd.handle, wanted.weight);
      return onlyWanted({ x: made(all.x), weight: all.weight === undefined ? undefined : made(all.weight) }, wanted);
    },
  },

  rope: {
    forward: ({ x }, options) => ({ output: made(native.rope(x.handle, options)) }),
    backward: ({ dy, options }) => ({ x: made(native.rope(dy.handle, { ...options, inverse: true })) }),
  },

  scale: {
    forward: ({ x }, { factor }) => ({ output: made(native.scale(x.handle, factor)) }),
    backward: ({ dy, options: { factor } }) => ({ x: made(native.scale(dy.handle, factor)) }),
  },

  sum: {
    forward: ({ x }) => ({ output: Tensor.full([1], native.sum(x.handle), { owner: "sum" }) }),
    backward: ({ dy, options: { shape } }) => ({
      x: Tensor.full(shape, dy.item(), { category: "gradients", owner: "sum" }),
    }),
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
export const add = (a: Tensor, b: Tensor) => apply("add", ops.add, { a, b }, {});
/** x [.., n] + bias [n] */
export const addBias = (x: Tensor, bias: Tensor) => apply("addBias", ops.addBias, { x, bias }, {});
/** Causal grouped-query attention: q [batch·queries, heads·d], k and v [batch·keys, kvHeads·d] → as q. scale defaults to 1/√d. */
export const attention = (q: Tensor, k: Tensor, v: Tensor, options: Attention) =>
  apply("attention", ops.attention, { q, k, v }, options);
/** Rows of weight [vocab, d] by ids i32 [n] → [n, d] */
export const embedding = (ids: Tensor, weight: Tensor) => apply("embedding", ops.embedding, { weight }, { ids });
/** x [n, in] · weightᵀ, weight [out, in] → [n, out] */
export const linear = (x: Tensor, weight: Tensor) => apply("linear", ops.linear, { x, weight }, {});
/** Mean cross-entropy of softmax(x·weightᵀ) over the counted targets: x [n, d], weight [vocab, d], targets i32 [n] → [1], 0 where none counts; logits never exist whole. */
export const linearCrossEntropy = (x: Tensor, weight: Tensor, targets: Tensor, options: LossOptions = {}) =>
  apply("linearCrossEntropy", ops.linearCrossEntropy, { x, weight }, { ...options, targets });
/** y + scaling·(x·aᵀ)·bᵀ: y [n, out], x [n, in], a [rank, in], b [out, rank]. Writes into y's bytes unless y is a leaf or something else holds them: do not use y afterwards. */
export const loraJoin = (y: Tensor, x: Tensor, a: Tensor, b: Tensor, scaling: number) =>
  apply("loraJoin", ops.loraJoin, { y, x, a, b }, { scaling });
/** alpha · op(a) · op(b) of two matrices. */
export const matmul = (a: Tensor, b: Tensor, options: MatmulFlags = {}) =>
  apply("matmul", ops.matmul, { a, b }, options);
/** Elementwise product of two tensors of the same shape. */
export const multiply = (a: Tensor, b: Tensor) => apply("multiply", ops.multiply, { a, b }, {});
/** x [n, in] · Wᵀ straight from codes → [n, out]; gradients to x and to scales. */
export const packedLinear = (x: Tensor, packed: PackedMatrix) =>
  apply("packedLinear", ops.packedLinear, { x, scales: packed.scales }, { packed });
/** The same numbers in another shape, over the same bytes. */
export const reshape = (x: Tensor, shape: readonly number[]) =>
  apply("reshape", ops.reshape, { x }, { shape, from: x.shape });
/** x / √(mean(x²) + epsilon) · weight over the last dimension. */
export const rmsNorm = (x: Tensor, weight: Tensor, epsilon: number) =>
  apply("rmsNorm", ops.rmsNorm, { x, weight }, { epsilon });
/** Rotary positions (Su et al. 2021), half-split pairs: x [batch·length, heads·headDim]. */
export const rope = (x: Tensor, options: Rope) => apply("rope", ops.rope, { x }, options);
/** factor · x */
export const scale = (x: Tensor, factor: number) => apply("scale", ops.scale, { x }, { factor });
/** The sum of all elements → [1] */
export const sum = (x: Tensor) => apply("sum", ops.sum, { x }, { shape: x.shape });
/** silu(gate)·up */
export const swiglu = (gate: Tensor, up: Tensor) => apply("swiglu", ops.swiglu, { gate, up }, {});

/** op(a)·op(b), added to `into` where that is given. */
function product(a: Tensor, b: Tensor, flags: MatmulFlags, into: Tensor | undefined): Tensor {
  if (into === undefined) return made(native.matmul(a.handle, b.handle, { ...flags }));
  native.matmul(a.handle, b.handle, { ...flags, into: into.handle });
  into.touched();
  return into;
}

/** [.., n] as [rows, n] */
function asRows(x: Tensor): Tensor {
  if (x.shape.length === 2) return x;
  const last = x.shape.at(-1) ?? 1;
  return made(native.tensorReshape(x.handle, [x.size / last, last]));
}

/** Frees the gradients that a fused kernel computed although nobody wants them. */
function onlyWanted<G extends Record<string, Tensor | undefined>>(
  all: G,
  wanted: { readonly [K in keyof G]: boolean },
): G {
  for (const name of Object.keys(all) as (keyof G)[]) {
    if (wanted[name]) continue;
    all[name]?.dispose();
    delete all[name];
  }
  return all;
}
