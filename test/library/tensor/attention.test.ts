import { attention, backward, scope, Tensor, type Precision } from "nibble-lab";
import { describe, expect, it } from "vitest";

function results(precision: Precision): Float32Array[] {
  return scope(() => {
    const inputs = [1, 2, 3].map((seed) => Tensor.randomNormal([18, 24], 1, seed)) as [Tensor, Tensor, Tensor];
    inputs.forEach((input) => (input.requiresGrad = true));
    const y = attention(...inputs, { batch: 2, heads: 3, kvHeads: 3, precision });
    backward(y, Tensor.randomNormal([18, 24], 1, 4));
    return [y, ...inputs.map((input) => input.grad!)].map((tensor) => tensor.arraySync() as Float32Array);
  });
}

describe("attention", () => {
  it("rounds its operands in bf16, forward and backward", () => {
    const [exact, rounded] = [results("f32"), results("bf16")];
    exact.forEach((numbers, i) => {
      const errors = numbers.map((x, at) => Math.abs(x - rounded[i]![at]!));
      expect(Math.max(...errors)).toBeGreaterThan(1e-5);
      expect(Math.max(...errors) / Math.max(...numbers.map(Math.abs))).toBeLessThan(0.03);
    });
  });

  it("says which precisions there are", () => {
    const x = Tensor.zeros([2, 4]);
    const options = { batch: 1, heads: 1, kvHeads: 1, precision: "f8" as Precision };
    expect(() => attention(x, x, x, options)).toThrow('precision is "f8"');
    x.dispose();
  });
});
