import { Tensor } from "../../tensor/tensor.js";

/** Where an adapter starts: a [rank, in] and b [out, rank], f32. */
export interface AdapterStart {
  readonly a: Tensor;
  readonly b: Tensor;
}
export interface AdapterShape {
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
  /** Who the memory panel names. */
  readonly owner: string;
}

/**
 * A ~ N(0, 1/rank²), B = 0: the adapter changes nothing until it has learned something (Hu et al. 2021; the standard
 * deviation is that of peft's "gaussian").
 */
export function gaussianStart({ rows, columns, rank, owner }: AdapterShape, seed: number): AdapterStart {
  const options = { category: "weights", owner } as const;
  return { a: Tensor.randomNormal([rank, columns], 1 / rank, seed, options), b: Tensor.zeros([rows, rank], options) };
}
