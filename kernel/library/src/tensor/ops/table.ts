import type { Handle } from "../dtype.js";
import type { OpRule, OpSignature } from "../autograd.js";
import { native } from "../native.js";
import { Tensor } from "../tensor.js";

/** A rule, with its gradient, for each signature: one that is missing or unknown does not compile. */
export type OpTable<S> = { readonly [K in keyof S]: OpRule<S[K] & OpSignature> };
/** The gradient needs nothing from the forward pass. */
export type None = Readonly<Record<never, Tensor>>;

export const made = (handle: Handle) => Tensor.adopt(handle);

/** [.., n] as [rows, n] */
export function asRows(x: Tensor): Tensor {
  if (x.shape.length === 2) return x;
  const last = x.shape.at(-1) ?? 1;
  return made(native.tensorReshape(x.handle, [x.size / last, last]));
}

/** Frees the gradients that a fused kernel computed although nobody wants them. */
export function onlyWanted<G extends Record<string, Tensor | undefined>>(
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
