import { activationOps } from "./ops/activation.js";
import { attentionOps } from "./ops/attention.js";
import { elementwiseOps } from "./ops/elementwise.js";
import { embeddingOps } from "./ops/embedding.js";
import { fakeQuantOps } from "./ops/fake-quant.js";
import { linearOps } from "./ops/linear.js";
import { lossOps } from "./ops/loss.js";
import { normOps } from "./ops/norm.js";
import { reduceOps } from "./ops/reduce.js";
import { shapeOps } from "./ops/shape.js";

export * from "./ops/activation.js";
export * from "./ops/attention.js";
export * from "./ops/elementwise.js";
export * from "./ops/embedding.js";
export * from "./ops/fake-quant.js";
export * from "./ops/linear.js";
export * from "./ops/loss.js";
export * from "./ops/norm.js";
export * from "./ops/reduce.js";
export * from "./ops/shape.js";

/**
 * The one table of differentiable operations. An operation is a signature (inputs, options, what its gradient needs saved)
 * and a rule in its family's file, and a case in test/library/tensor/ops.test.ts; without either half nothing compiles.
 */
export const ops = {
  ...activationOps,
  ...attentionOps,
  ...elementwiseOps,
  ...embeddingOps,
  ...fakeQuantOps,
  ...linearOps,
  ...lossOps,
  ...normOps,
  ...reduceOps,
  ...shapeOps,
};
export type OpName = keyof typeof ops;
