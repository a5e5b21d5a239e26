import { describe, expect, it } from "vitest";
import {
  add,
  DenseWeight,
  LayerNorm,
  Linear,
  liveTensors,
  Module,
  scope,
  Tensor,
  type LinearAdapter,
} from "nibble-lab";
import type { Sharing } from "../../../kernel/library/lib/nn/module.js";

class Pair extends Module {
  readonly layers: readonly Linear[];
  readonly note = "not a tensor";
  constructor(readonly shared: Tensor) {
    super();
    this.layers = [
      new Linear(new DenseWeight(shared)),
      new Linear(new DenseWeight(Tensor.from([5, 6], [1, 2])), Tensor.from([7])),
    ];
  }
}

/** Adds one to every output. */
class PlusOne implements LinearAdapter {
  readonly description = "plus one";
  constructor(private readonly one: Tensor) {}
  apply(_: Tensor, y: Tensor): Tensor {
    return add(y, this.one);
  }
  *namedTensors(): Generator<[string, Tensor]> {
    yield ["one", this.one];
  }
  share(shared: Sharing): PlusOne {
    return new PlusOne(shared.tensor(this.one));
  }
  dispose(): void {
    this.one.dispose();
  }
}

describe("layer norm", () => {
  it("brings each row to mean 0 and variance 1, then scales and shifts it", () => {
    using norm = new LayerNorm(Tensor.from([1, 1, 2]), Tensor.from([0, 1, 0]), 0);
    expect([...norm.namedParameters()].map(([name]) => name)).toEqual(["weight", "bias"]);
    scope(() => {
      const root = Math.sqrt(1.5);
      const y = norm.forward(Tensor.from([1, 2, 3], [1, 3])).arraySync();
      [-root, 1, 2 * root].forEach((value, i) => expect(y[i]!).toBeCloseTo(value, 5));
    });
  });
});

describe("module", () => {
  it("names each tensor once, by the path of properties and indices", () => {
    using pair = new Pair(Tensor.from([1, 2, 3, 4], [2, 2]));
    expect([...pair.namedTensors()].map(([name]) => name)).toEqual(["shared", "layers.1.weight", "layers.1.bias"]);
    expect([...pair.namedModules()].map(([name]) => name)).toEqual(["", "layers.0", "layers.1"]);
  });

  it("shares bytes with a copy, keeps ties, and copies what trains", () => {
    const before = liveTensors();
    const pair = new Pair(Tensor.from([1, 2, 3, 4], [2, 2]));
    pair.layers[1]!.bias!.requiresGrad = true;
    const copy = pair.share();
    expect(liveTensors()).toBe(before + 4);
    expect(copy).toBeInstanceOf(Pair);
    expect((copy.layers[0]!.weight as DenseWeight).tensor).toBe(copy.shared);
    expect(copy.layers[1]!.bias!.requiresGrad).toBe(true);
    pair.dispose();
    expect([...copy.shared.arraySync()]).toEqual([1, 2, 3, 4]);
    copy.dispose();
    copy.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("freezes everything", () => {
    using pair = new Pair(Tensor.from([1, 2, 3, 4], [2, 2]));
    pair.shared.requiresGrad = true;
    expect([...pair.trainableParameters().keys()]).toEqual(["shared"]);
    pair.freeze();
    expect(pair.trainableParameters().size).toBe(0);
  });
});

describe("linear", () => {
  it("multiplies by the weight's transpose, adds its bias, then its adapter", () => {
    scope(() => {
      const layer = new Linear(new DenseWeight(Tensor.from([1, 2, 3, 4], [2, 2])), Tensor.from([10, 20]));
      const x = Tensor.from([1, 1], [1, 2]);
      expect([...layer.forward(x).arraySync()]).toEqual([13, 27]);
      layer.adapter = new PlusOne(Tensor.from([1, 1], [1, 2]));
      expect([...layer.forward(x).arraySync()]).toEqual([14, 28]);
      expect([...layer.namedTensors()].map(([name]) => name)).toEqual(["weight", "bias", "adapter.one"]);
    });
  });

  it("disposes of a weight that it replaces, and of nothing else", () => {
    const before = liveTensors();
    const layer = new Linear(new DenseWeight(Tensor.from([1, 2], [1, 2])));
    layer.replaceWeight(new DenseWeight(Tensor.from([3, 4], [1, 2])));
    expect(liveTensors()).toBe(before + 1);
    layer.replaceWeight(layer.weight);
    expect(scope(() => layer.forward(Tensor.from([1, 1], [1, 2])).item())).toBe(7);
    layer.dispose();
    expect(liveTensors()).toBe(before);
  });
});
