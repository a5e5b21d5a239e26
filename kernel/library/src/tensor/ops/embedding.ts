import { apply } from "../autograd.js";
import { native } from "../native.js";
import { Tensor } from "../tensor.js";
import { made, type OpTable } from "./table.js";

interface Signatures {
  embedding: { inputs: { weight: Tensor }; options: { readonly ids: Tensor }; saved: { ids: Tensor; weight: Tensor } };
}

export const embeddingOps: OpTable<Signatures> = {
  embedding: {
    forward: ({ weight }, { ids }, wanted) => ({
      output: made(native.embeddingForward(ids.handle, weight.handle)),
      saved: wanted.weight ? { ids, weight } : {},
    }),
    backward: ({ dy, saved: { ids, weight }, into }) => {
      const { shape, device } = weight;
      const target = into.weight ?? Tensor.zeros(shape, { category: "gradients", owner: "embedding", device });
      native.embeddingBackward(ids.handle, dy.handle, target.handle);
      target.touched();
      return { weight: target };
    },
  },
};

/** Rows of weight [vocab, d] by ids i32 [n] → [n, d] */
export const embedding = (ids: Tensor, weight: Tensor) =>
  apply("embedding", embeddingOps.embedding, { weight }, { ids });
