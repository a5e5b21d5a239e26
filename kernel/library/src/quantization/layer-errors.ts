import { globalNorm, total } from "../tensor/kernels.js";
import { matmul, multiply } from "../tensor/ops.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";

/** √(ΣΔ²/ΣW²), and √(tr(ΔHΔᵀ)/tr(WHWᵀ)) with H = XᵀX: the same of X·Wᵀ. 0 where nothing differs, null without H. */
export function relativeErrors(difference: Tensor, weight: Tensor, gram: Tensor | null) {
  const ratio = (part: number, whole: number) => (part === 0 ? 0 : part / whole);
  return {
    weightError: ratio(globalNorm([difference]), globalNorm([weight])),
    outputError: gram === null ? null : ratio(outputNorm(difference, gram), outputNorm(weight, gram)),
  };
}

/** √tr(WHWᵀ) = ‖X·Wᵀ‖ */
export function outputNorm(weight: Tensor, gram: Tensor): number {
  return scope(() => Math.sqrt(Math.max(0, total(multiply(matmul(weight, gram), weight)))));
}
