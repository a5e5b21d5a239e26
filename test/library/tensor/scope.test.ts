import { describe, expect, it } from "vitest";
import { add, backward, keep, liveTensors, multiply, scope, sum, Tensor } from "nibble-lab";

describe("scope", () => {
  it("frees what was made inside, except the result and what was kept", () => {
    const before = liveTensors();
    let kept: Tensor | undefined;
    const result = scope(() => {
      Tensor.zeros([1]);
      kept = keep(Tensor.from([2]));
      return { list: [Tensor.from([3])], map: new Map([["x", Tensor.from([4])]]) };
    });
    expect(liveTensors()).toBe(before + 3);
    expect(kept!.item() + result.list[0]!.item() + result.map.get("x")!.item()).toBe(9);
    for (const tensor of [kept!, result.list[0]!, result.map.get("x")!]) tensor.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("frees everything when the function throws or its promise rejects", async () => {
    const before = liveTensors();
    expect(() =>
      scope(() => {
        Tensor.zeros([1]);
        throw new Error("stop");
      }),
    ).toThrow("stop");
    await expect(
      scope(async () => {
        Tensor.zeros([1]);
        await Promise.resolve();
        Tensor.zeros([1]);
        throw new Error("stop");
      }),
    ).rejects.toThrow("stop");
    expect(liveTensors()).toBe(before);
  });

  it("keeps interleaved asynchronous scopes apart", async () => {
    const before = liveTensors();
    const work = (value: number) =>
      scope(async () => {
        const own = Tensor.from([value]);
        await Promise.resolve();
        const result = add(own, own);
        await Promise.resolve();
        return result;
      });
    const [a, b] = await Promise.all([work(1), work(2)]);
    expect([a.item(), b.item()]).toEqual([2, 4]);
    expect(liveTensors()).toBe(before + 2);
    a.dispose();
    b.dispose();
  });

  it("hands a result to the scope around", () => {
    const before = liveTensors();
    scope(() => {
      const inner = scope(() => Tensor.from([5]));
      expect(inner.item()).toBe(5);
    });
    expect(liveTensors()).toBe(before);
  });

  it("keeps the tape of a result alive, and frees the tapes that lead nowhere", () => {
    using x = Tensor.from([1, 2, 3]);
    x.requiresGrad = true;
    const before = liveTensors();
    const loss = scope(() => {
      const squared = multiply(x, x);
      multiply(squared, squared);
      return sum(multiply(squared, x));
    });
    backward(loss);
    expect([...x.grad!.arraySync()]).toEqual([3, 12, 27]);
    loss.dispose();
    x.clearGrad();
    expect(liveTensors()).toBe(before);
  });

  it("frees the tape when its result is dropped inside", () => {
    using x = Tensor.from([1, 2, 3]);
    x.requiresGrad = true;
    const before = liveTensors();
    scope(() => void sum(multiply(multiply(x, x), x)));
    expect(liveTensors()).toBe(before);
  });
});
