import { describe, expect, it } from "vitest";
import {
  backward,
  cast,
  devices,
  engineInfo,
  linear,
  linearCrossEntropy,
  loraJoin,
  matmul,
  multiply,
  noGrad,
  OptionError,
  packedLinear,
  scope,
  sum,
  Tensor,
} from "nibble-lab";
import { quantizeInteger } from "../../../kernel/library/lib/tensor/quantize.js";
import { largestDifference, tinyModel, tinyTokens } from "../tiny-model.js";

const bf16 = { precision: "bf16" } as const;
const normal = (shape: number[], seed: number) => Tensor.randomNormal(shape, 1, seed);
/** The nearest bf16 numbers, as f32. */
const rounded = (x: Tensor) => cast(cast(x, "bf16"), "f32");
const [n, inputs, outputs, rank] = [13, 37, 9, 3];

/** The gradients of Σ y·direction by input. */
function gradients(tensors: readonly Tensor[], y: Tensor, direction: Tensor): Tensor[] {
  backward(sum(multiply(y, direction)));
  return tensors.map((tensor) => tensor.grad!);
}

describe("a product in bf16", () => {
  it("is the f32 product of rounded operands, forward and backward", () => {
    scope(() => {
      const [x, w, direction] = [normal([n, inputs], 1), normal([outputs, inputs], 2), normal([n, outputs], 3)];
      x.requiresGrad = w.requiresGrad = true;
      const y = linear(x, w, bf16);
      const [dx, dw] = gradients([x, w], y, direction);
      noGrad(() => {
        const [rx, rw, rd] = [rounded(x), rounded(w), rounded(direction)];
        expect(largestDifference(y, linear(rx, rw))).toBeLessThan(2e-5);
        expect(largestDifference(dx!, matmul(rd, rw))).toBeLessThan(2e-5);
        expect(largestDifference(dw!, matmul(rd, rx, { transposeA: true }))).toBeLessThan(2e-5);
        expect(largestDifference(y, linear(x, w)), "rounding is there").toBeGreaterThan(1e-3);
      });
    });
  });

  it("is the same for packed weights and for adapters beside them", () => {
    scope(() => {
      const [x, direction] = [normal([n, inputs], 4), normal([n, outputs], 5)];
      const { codes, scales, zeroPoints } = quantizeInteger(normal([outputs, inputs], 6), { bits: 4, group: 0 });
      const packed = { format: "int4", rows: outputs, columns: inputs, group: 0, codes, scales, zeroPoints } as const;
      const [a, b] = [normal([rank, inputs], 7), normal([outputs, rank], 8)];
      x.requiresGrad = a.requiresGrad = b.requiresGrad = true;
      const y = loraJoin(packedLinear(x, packed, bf16), x, a, b, 0.5, bf16);
      const [dx, da, db] = gradients([x, a, b], y, direction);
      noGrad(() => {
        const w = rounded(packedLinear(Tensor.from(identity(inputs), [inputs, inputs]), packed));
        const [rx, ra, rb, rd] = [rounded(x), rounded(a), rounded(b), rounded(direction)];
        const h = rounded(linear(rx, ra));
        const join = matmul(h, rb, { transposeB: true, alpha: 0.5 });
        expect(largestDifference(y, addTo(join, matmul(rx, w)))).toBeLessThan(2e-4);
        const dh = rounded(matmul(rd, rb, { alpha: 0.5 }));
        expect(largestDifference(dx!, addTo(matmul(dh, ra), matmul(rd, w, { transposeB: true })))).toBeLessThan(2e-4);
        expect(largestDifference(da!, matmul(dh, rx, { transposeA: true }))).toBeLessThan(2e-4);
        expect(largestDifference(db!, matmul(rd, h, { transposeA: true, alpha: 0.5 }))).toBeLessThan(2e-4);
      });
    });
  });

  it("is one of the loss too", () => {
    scope(() => {
      const [x, w] = [normal([n, inputs], 9), normal([outputs, inputs], 10)];
      const targets = Tensor.from(Int32Array.from({ length: n }, (_, i) => i % outputs));
      const loss = (options: object) => noGrad(() => linearCrossEntropy(x, w, targets, options).item());
      const expected = noGrad(() => linearCrossEntropy(rounded(x), rounded(w), targets).item());
      expect(loss(bf16)).toBeCloseTo(expected, 5);
      expect(loss(bf16)).not.toBe(loss({}));
    });
  });

  it("is refused by a name that does not exist", () => {
    scope(() => {
      const x = normal([2, 2], 11);
      expect(() => matmul(x, x, { precision: "f8" as "bf16" })).toThrow(/\[matmul\] precision is "f8".*"bf16"/);
    });
  });
});

describe("a model in bf16", () => {
  it("computes nearly what it computes in f32, from the same bytes", () => {
    using model = tinyModel();
    using fast = model.fork({ precision: "bf16" });
    using slow = fast.fork();
    expect([model.precision, fast.precision, slow.precision]).toEqual(["f32", "bf16", "bf16"]);
    const logits = (of: typeof model) => noGrad(() => of.run([...tinyTokens(12)]));
    using exact = logits(model);
    using near = logits(fast);
    const difference = largestDifference(exact, near);
    expect(difference).toBeGreaterThan(0);
    expect(difference / Math.max(...exact.arraySync().map(Math.abs))).toBeLessThan(0.05);
  });

  it("refuses other precisions", () => {
    using model = tinyModel();
    expect(() => model.fork({ precision: "f16" as "bf16" })).toThrow(OptionError);
  });
});

it("devices say how bf16 is multiplied", () => {
  expect(devices()[0]!.bf16).toBe(engineInfo().isa === "avx512bf16" ? "native" : "emulated");
});

function identity(size: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
}

function addTo(a: Tensor, b: Tensor): Float32Array {
  const [left, right] = [a.arraySync(), b.arraySync()];
  return Float32Array.from(left, (value, i) => value + right[i]!);
}
