/** What the cases of test/library/tensor/ops.test.ts are made of. */
import { Random, Tensor } from "nibble-lab";
import * as library from "../../../kernel/library/lib/tensor/ops.js";
import { unpackIntegers, type PackedMatrix } from "../../../kernel/library/lib/tensor/packed.js";
import { quantizeInteger } from "../../../kernel/library/lib/tensor/quantize.js";
import * as reference from "../../reference/ops.js";
import { numbers, type Numbers } from "../../reference/ops.js";

/** An operation on random inputs beside its definition. */
export interface Case {
  readonly title: string;
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly run: (inputs: Record<string, Tensor>) => Tensor;
  readonly expected: (inputs: Record<string, Numbers>) => Numbers;
  /** Where a gradient is rounded on its way. */
  readonly gradientTolerance?: number;
}

const random = new Random(11);
/** Rounded to float32, so that both sides start from the same numbers. */
export const normal = (...shape: number[]) => numbers(shape, () => Math.fround(random.normal()));
export const [rows, width] = [5, 6];
export const int32 = (values: number[]) => Tensor.from(Int32Array.from(values));

/** As a tensor. */
export function toTensor({ shape, data }: Numbers): Tensor {
  return Tensor.from(Float32Array.from(data), shape);
}

/** A packed weight [4, 6] at 4 bits, and its codes with the zero-points taken off. */
function packed(group: number, scales: Tensor): { matrix: PackedMatrix; decoded: (scales: Numbers) => Numbers } {
  const weight = numbers([4, width], (i) => Math.fround(Math.sin(i * 1.7)));
  const parts = quantizeInteger(toTensor(weight), { bits: 4, group });
  const codes = unpackIntegers(parts.codes, 4, width, 4).arraySync();
  const zeros = parts.zeroPoints.arraySync();
  const groups = group === 0 ? 1 : width / group;
  const groupOf = (i: number) => Math.floor(i / width) * groups + Math.floor((i % width) / (group || width));
  return {
    matrix: {
      format: "int4",
      rows: 4,
      columns: width,
      group,
      codes: parts.codes,
      scales,
      zeroPoints: parts.zeroPoints,
    },
    decoded: (s) => numbers([4, width], (i) => s.data[groupOf(i)]! * (codes[i]! - zeros[groupOf(i)]!)),
  };
}
export const packedCase = (title: string, group: number, groups: number): Case => ({
  title,
  inputs: { x: normal(rows, width), scales: numbers([4, groups], (i) => Math.fround(0.1 + 0.05 * i)) },
  run: ({ x, scales }) => library.packedLinear(x!, packed(group, scales!).matrix),
  expected: ({ x, scales }) =>
    reference.matmul(x!, packed(group, toTensor(scales!)).decoded(scales!), { transposeB: true }),
});

/** An operation of two tensors, of one shape and with a vector beside rows. */
export function pairs(
  op: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => number,
  second: (b: number) => number = (b) => b,
): Case[] {
  return [[rows, width], [width]].map((shape) => ({
    title: shape.length === 2 ? "of one shape" : "with a vector",
    inputs: { a: normal(rows, width), b: apply(normal(...shape), (x) => Math.fround(second(x))) },
    run: ({ a, b }) => op(a!, b!),
    expected: ({ a, b }) => numbers(a!.shape, (i) => f(a!.data[i]!, b!.data[i % b!.data.length]!)),
  }));
}
/** An operation of one tensor, element by element after `rowwise`. */
export function each(
  op: (x: Tensor) => Tensor,
  f: (x: number) => number,
  first: (x: number) => number = (x) => x,
  rowwise: (x: Numbers) => Numbers = (x) => x,
): Case[] {
  return [
    {
      title: "every element",
      inputs: { x: apply(normal(rows, width), (x) => Math.fround(first(x))) },
      run: ({ x }) => op(x!),
      expected: ({ x }) => apply(rowwise(x!), f),
    },
  ];
}
const apply = (x: Numbers, f: (value: number) => number) => numbers(x.shape, (i) => f(x.data[i]!));
