import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  backward,
  checkpoint,
  dropout,
  grad,
  liveTensors,
  memory,
  multiply,
  NumericsError,
  resetPeakMemory,
  scale,
  scope,
  sum,
  swiglu,
  Tensor,
  train,
  tune,
  UnsupportedError,
} from "nibble-lab";
import { tinyModel, tinyTokens } from "../tiny-model.js";

let before = 0;
beforeEach(() => {
  before = liveTensors();
});
afterEach(() => expect(liveTensors()).toBe(before));

function leaf(values: number[]): Tensor {
  const tensor = Tensor.from(values);
  tensor.requiresGrad = true;
  return tensor;
}

describe("checkpoint", () => {
  it("gives the same numbers and gradients, to inputs and to what the function holds", () => {
    scope(() => {
      const [x, w] = [leaf([1, -2, 3]), leaf([0.5, 2, -1])];
      const f = (x: Tensor) => multiply(swiglu(multiply(x, w), x), w);
      const plain = sum(f(x));
      backward(plain);
      const expected = [x, w].map((tensor) => tensor.grad!.arraySync());
      for (const tensor of [x, w]) tensor.clearGrad();
      const again = sum(checkpoint(f, x));
      expect(again.item()).toBe(plain.item());
      backward(again);
      expect([x, w].map((tensor) => tensor.grad!.arraySync())).toEqual(expected);
    });
  });

  it("works where no input wants a gradient, inside another, and twice on one input", () => {
    scope(() => {
      const [x, w] = [Tensor.from([1, 2]), leaf([3, 4])];
      const inner = (y: Tensor) => checkpoint((y) => multiply(y, w), y);
      backward(sum(checkpoint((x) => multiply(inner(x), w), x)));
      expect([...w.grad!.arraySync()]).toEqual([2 * 3 * 1, 2 * 4 * 2]);
      const y = leaf([1, 2]);
      backward(sum(checkpoint((a, b) => multiply(a, b), y, y)));
      expect([...y.grad!.arraySync()]).toEqual([2, 4]);
    });
  });

  it("drops the same elements the second time", () => {
    scope(() => {
      const x = leaf(Array.from({ length: 200 }, (_, i) => i - 99.5));
      const f = (x: Tensor) => multiply(dropout(x, { p: 0.4, seed: 3, offset: 7 }), x);
      backward(sum(f(x)));
      const expected = x.grad!.arraySync();
      x.clearGrad();
      backward(sum(checkpoint(f, x)));
      expect(x.grad!.arraySync()).toEqual(expected);
      expect(expected.filter((value) => value === 0).length).toBeGreaterThan(40);
    });
  });

  it("keeps its inputs alone until backward", () => {
    const x = leaf(Array<number>(1000).fill(2));
    const chain = (x: Tensor) => multiply(multiply(multiply(x, x), x), x);
    const tensors = liveTensors();
    const plain = scope(() => sum(chain(x)));
    const saved = liveTensors() - tensors;
    backward(plain);
    const start = liveTensors();
    const kept = scope(() => sum(checkpoint(chain, x)));
    expect(liveTensors() - start).toBeLessThan(saved);
    backward(kept);
    expect(x.grad!.arraySync()[0]).toBe(2 * 4 * 8);
    for (const tensor of [plain, kept, x]) tensor.dispose();
  });

  it("says so when the function uses a result from outside, or its input was changed meanwhile", () => {
    scope(() => {
      const x = leaf([1, 2]);
      const outside = scale(x, 2);
      const loss = sum(checkpoint((x) => multiply(x, outside), x));
      expect(() => backward(loss)).toThrow(UnsupportedError);
      const late = sum(checkpoint((x) => multiply(x, x), x));
      x.write(Float32Array.of(5, 6));
      expect(() => backward(late)).toThrow(NumericsError);
    });
  });

  it("trains a model through the same losses with less memory", async () => {
    const shape = { layers: 6, hiddenSize: 32, intermediateSize: 96 };
    const options = { data: tinyTokens(900), steps: 4, batchSize: 4, length: 32, learningRate: 1e-2 };
    const peaks: number[] = [];
    const losses: number[][] = [];
    const weights: unknown[] = [];
    for (const gradientCheckpointing of [false, true]) {
      using model = tune(tinyModel(shape), { method: "full" });
      resetPeakMemory();
      losses.push((await train(model, { ...options, gradientCheckpointing })).losses);
      peaks.push(memory().devices[0]!.byCategory.find(({ category }) => category === "activations")!.atPeak);
      weights.push([...model.namedTensors()].map(([, tensor]) => tensor.arraySync()));
    }
    expect(losses[1]).toEqual(losses[0]);
    expect(weights[1]).toEqual(weights[0]);
    expect(peaks[1]!).toBeLessThan(0.5 * peaks[0]!);
  });
});

describe("grad", () => {
  it("gives gradients by leaves and by results, and touches nobody's grad", () => {
    scope(() => {
      const [x, w] = [leaf([1, 2]), leaf([3, 4])];
      const y = multiply(x, w);
      const [dx, dy, again] = grad(sum(multiply(y, y)), [x, y, x]) as [Tensor, Tensor, Tensor];
      expect([...dx.arraySync()]).toEqual([2 * 3 * 3 * 1, 2 * 4 * 4 * 2]);
      expect([...dy.arraySync()]).toEqual([2 * 3, 2 * 8]);
      expect(again).toBe(dx);
      expect([x.grad, w.grad]).toEqual([null, null]);
    });
  });

  it("leaves gradients that were there as they were, also through a checkpoint", () => {
    scope(() => {
      const [x, w] = [leaf([1, 2]), leaf([3, 4])];
      backward(sum(multiply(x, w)));
      const [dw] = grad(sum(checkpoint((x) => multiply(x, multiply(w, w)), x)), [w]) as [Tensor];
      expect([...dw.arraySync()]).toEqual([6, 16]);
      expect([...x.grad!.arraySync()]).toEqual([3, 4]);
      expect([...w.grad!.arraySync()]).toEqual([1, 2]);
    });
  });

  it("makes a function of a function, whose arguments need no flag", () => {
    scope(() => {
      const gradients = grad((x: Tensor, y: Tensor) => sum(multiply(multiply(x, x), y)));
      const [dx, dy] = gradients(Tensor.from([3]), Tensor.from([5])) as [Tensor, Tensor];
      expect([dx.item(), dy.item()]).toEqual([30, 9]);
    });
  });

  it("says so where nothing leads to an input", () => {
    scope(() => {
      const [x, w] = [leaf([1]), leaf([2])];
      expect(() => grad(sum(multiply(x, x)), [w])).toThrow(UnsupportedError);
      expect(() => grad(sum(multiply(x, x)), [x, Tensor.from([1])])).toThrow("input 1");
    });
  });
});
