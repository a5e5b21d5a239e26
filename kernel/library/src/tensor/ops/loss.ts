import { apply } from "../autograd.js";
import { native } from "../native.js";
import { Tensor } from "../tensor.js";
import type { ProductOptions } from "./linear.js";
import { made, type OpTable } from "./table.js";

export interface LossOptions extends ProductOptions {
  /** Targets with this value do not count. */
  readonly ignoreIndex?: number;
  /** ε: the target counts 1 − ε, all words together ε   (Szegedy et al. 2016). Default: 0. */
  readonly labelSmoothing?: number;
}

interface Signatures {
  linearCrossEntropy: {
    inputs: { x: Tensor; weight: Tensor };
    options: LossOptions & { readonly targets: Tensor };
    saved: { dx: Tensor; dWeight: Tensor; tokens: Tensor };
  };
}

export const lossOps: OpTable<Signatures> = {
  linearCrossEntropy: {
    forward: ({ x, weight }, { targets, ...options }, wanted) => {
      const result = native.linearCrossEntropy(x.handle, weight.handle, targets.handle, {
        wantInput: wanted.x,
        wantWeight: wanted.weight,
        ...options,
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
};

/**
 * Mean cross-entropy of softmax(x·weightᵀ) over the counted targets: x [n, d], weight [vocab, d], targets i32 [n] → [1], 0 where none counts;
 * logits never exist whole. The loss and the targets may be the CPU's: a loss always is.
 */
export const linearCrossEntropy = (x: Tensor, weight: Tensor, targets: Tensor, options: LossOptions = {}) =>
  apply("linearCrossEntropy", lossOps.linearCrossEntropy, { x, weight }, { ...options, targets });
