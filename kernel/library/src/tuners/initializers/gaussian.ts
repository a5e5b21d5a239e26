import { integer } from "../../options.js";
import { keep } from "../../tensor/scope.js";
import { Tensor } from "../../tensor/tensor.js";
import { defineInitializer } from "./initializer.js";

export interface GaussianOptions {
  /** Default 0. */
  readonly seed?: number;
}

/**
 * A ~ N(0, 1/rank²), B = 0: the adapter changes nothing until it has learned something (Hu et al. 2021, arXiv 2106.09685; the standard
 * deviation is that of peft's "gaussian"). What `tune` starts from.
 */
export const gaussian = defineInitializer<GaussianOptions>({
  name: "gaussian",
  rules: { seed: integer({ fallback: 0 }) },
  describe: () => "A normal, B 0",
  needs: () => [],
  start: ({ rows, columns, rank, name, seed }) =>
    Promise.resolve(keep(gaussianStart({ rows, columns, rank, owner: name }, seed))),
});

export function gaussianStart(
  {
    rows,
    columns,
    rank,
    owner,
    device,
  }: {
    readonly rows: number;
    readonly columns: number;
    readonly rank: number;
    readonly owner: string;
    readonly device?: string;
  },
  seed: number,
): { readonly a: Tensor; readonly b: Tensor } {
  const options = { category: "weights", owner, ...(device !== undefined && { device }) } as const;
  return { a: Tensor.randomNormal([rank, columns], 1 / rank, seed, options), b: Tensor.zeros([rows, rank], options) };
}
