import { add, gatherRows, linearCrossEntropy, scale, type LossOptions } from "../tensor/ops.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * Cross-entropy of softmax(x·weightᵀ) in which targets count differently:
 *
 *   Σ wᵢ·(−log pᵢ) / Σ wᵢ
 *
 * Rows of equal weight go through the output layer together and those of weight 0 not at all, so that a mask saves time, a few
 * different weights cost nothing, and many different ones a call each.
 *
 * @param x [n, d] · @param weight [vocab, d] · @param targets [n], `ignoreIndex` where a target does not count · @param weights [n], at least 0
 * @returns [1], 0 where nothing counts
 */
export function weightedCrossEntropy(
  x: Tensor,
  weight: Tensor,
  targets: Int32Array,
  weights: Float32Array,
  options: LossOptions,
): Tensor {
  const groups = new Map<number, number[]>();
  for (let row = 0; row < targets.length; row++) {
    if (weights[row] === 0 || targets[row] === options.ignoreIndex) continue;
    const rows = groups.get(weights[row]!);
    if (rows === undefined) groups.set(weights[row]!, [row]);
    else rows.push(row);
  }
  const all = [...groups].reduce((sum, [each, rows]) => sum + each * rows.length, 0);
  const parts = [...groups].map(([each, rows]) => {
    const part = gatherRows(x, Tensor.from(Int32Array.from(rows), [rows.length], { owner: "targets" }));
    const wanted = Int32Array.from(rows, (row) => targets[row]!);
    const loss = linearCrossEntropy(part, weight, Tensor.from(wanted, [rows.length], { owner: "targets" }), options);
    return scale(loss, (each * rows.length) / all);
  });
  if (parts.length > 0) return parts.reduce((sum, part) => add(sum, part));
  const none = Int32Array.from(targets, () => options.ignoreIndex ?? 0);
  return scale(linearCrossEntropy(x, weight, Tensor.from(none), options), 0);
}
