import { describe, expect, it } from "vitest";
import {
  add,
  backward,
  DisposedError,
  DTypeError,
  liveTensors,
  multiply,
  noGrad,
  NumericsError,
  reshape,
  scale,
  scaleInPlace,
  scope,
  ShapeError,
  sum,
  Tensor,
  UnsupportedError,
} from "nibble-lab";
import { memoryEvents } from "../../../kernel/library/lib/tensor/device.js";
import { tinyModel, tinyTokens } from "../tiny-model.js";

function leaf(values: number[]): Tensor {
  const tensor = Tensor.from(values);
  tensor.requiresGrad = true;
  return tensor;
}

describe("backward", () => {
  it("adds gradients up over uses and over calls", () => {
    scope(() => {
      const x = leaf([1, 2]);
      backward(sum(add(multiply(x, x), scale(x, 3))));
      expect([...x.grad!.arraySync()]).toEqual([5, 7]);
      backward(sum(x));
      expect([...x.grad!.arraySync()]).toEqual([6, 8]);
    });
  });

  it("gives each leaf its own gradient bytes", () => {
    scope(() => {
      const [a, b] = [leaf([1, 2]), leaf([3, 4])];
      backward(sum(add(a, b)));
      a.grad!.write(Float32Array.of(0, 0));
      expect([...b.grad!.arraySync()]).toEqual([1, 1]);
    });
  });

  it("goes through a value that is used by two branches exactly once", () => {
    scope(() => {
      const x = leaf([2]);
      const y = multiply(x, x);
      backward(sum(multiply(y, y)));
      expect(x.grad!.item()).toBe(32);
    });
  });

  it("throws on a tape that was used up", () => {
    scope(() => {
      const x = leaf([1, 2]);
      const loss = sum(multiply(x, x));
      backward(loss);
      expect(() => backward(loss)).toThrow(DisposedError);
      expect(() => backward(loss)).toThrow("used up by an earlier backward");
    });
  });

  it("frees what the tape saved as it goes", () => {
    const before = liveTensors();
    const x = leaf([1, 2]);
    const loss = scope(() => sum(multiply(multiply(x, x), x)));
    expect(liveTensors()).toBeGreaterThan(before + 2);
    backward(loss);
    expect(liveTensors()).toBe(before + 3);
    loss.dispose();
    x.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("notices that a saved value was changed in place", () => {
    scope(() => {
      const x = leaf([1, 2]);
      const loss = sum(multiply(x, x));
      scaleInPlace(x, 2);
      expect(() => backward(loss)).toThrow(NumericsError);
    });
  });

  it("records nothing where nothing wants a gradient", () => {
    scope(() => {
      const x = Tensor.from([1, 2]);
      expect(multiply(x, x).requiresGrad).toBe(false);
      x.requiresGrad = true;
      expect(noGrad(() => multiply(x, x)).requiresGrad).toBe(false);
      expect(multiply(x, x).requiresGrad).toBe(true);
    });
  });

  it("says what is wrong with a loss that cannot be differentiated", () => {
    scope(() => {
      const x = leaf([1, 2]);
      expect(() => backward(multiply(x, x))).toThrow(ShapeError);
      expect(() => backward(Tensor.from([1]))).toThrow(UnsupportedError);
      const ids = Tensor.from(Int32Array.of(1));
      expect(() => {
        ids.requiresGrad = true;
      }).toThrow(DTypeError);
    });
  });

  it("takes a direction for a result of many elements", () => {
    scope(() => {
      const x = leaf([1, 2, 3, 4]);
      backward(reshape(multiply(x, x), [2, 2]), Tensor.from([1, 0, 0, 1], [2, 2]));
      expect([...x.grad!.arraySync()]).toEqual([2, 0, 0, 8]);
    });
  });
});

it("allocates no gradient for a weight that is frozen", () => {
  using model = tinyModel();
  const chosen = new Map(model.namedParameters()).get("blocks.0.attention.q_proj.weight")!;
  chosen.requiresGrad = true;
  const since = memoryEvents(0).at(-1)?.sequence ?? 0;
  const tokens = tinyTokens(10);
  scope(() => backward(model.loss({ tokens, targets: tokens, batch: 1 })));
  const sizes = memoryEvents(since)
    .filter(({ kind, category }) => kind === "allocate" && category === "gradients")
    .map(({ bytes }) => bytes);
  // Ten tokens make no activation as large as the embedding or an MLP weight.
  expect(sizes.length).toBeGreaterThan(0);
  expect(sizes.filter((bytes) => bytes >= 4 * 23 * 16)).toEqual([]);
  expect(chosen.grad!.shape).toEqual([16, 16]);
});
