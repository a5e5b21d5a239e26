import { describe, expect, it } from "vitest";
import { DisposedError, DTypeError, liveTensors, ShapeError, Tensor } from "nibble-lab";

describe("tensor", () => {
  it("gives back the numbers that it was made from, in every dtype", async () => {
    for (const data of [Float32Array.of(1.5, -2, 3), Int32Array.of(1, -2, 3), Uint8Array.of(1, 255, 3)]) {
      using tensor = Tensor.from(data);
      expect(await tensor.array()).toEqual(data);
      expect(tensor.arraySync()).toEqual(data);
    }
    using bits = Tensor.from(Uint16Array.of(0x3f80, 0xc000), [2], { dtype: "bf16" });
    expect(bits.arraySync()).toEqual(Uint16Array.of(0x3f80, 0xc000));
  });

  it("refuses numbers that do not fill the shape, and 16-bit floats from plain numbers", () => {
    expect(() => Tensor.from([1, 2, 3], [2, 2])).toThrow(ShapeError);
    expect(() => Tensor.from([1, 2], [2], { dtype: "f16" })).toThrow(DTypeError);
    expect(() => Tensor.from(Float32Array.of(1), [1], { dtype: "u8" })).toThrow(DTypeError);
  });

  it("can be disposed of twice, and says which tensor is gone when it is used", () => {
    const before = liveTensors();
    const tensor = Tensor.zeros([2, 3]);
    expect(liveTensors()).toBe(before + 1);
    tensor.dispose();
    tensor.dispose();
    expect(liveTensors()).toBe(before);
    expect(() => tensor.arraySync()).toThrow(DisposedError);
    expect(() => tensor.arraySync()).toThrow("[2, 3] f32 was disposed of");
  });

  it("keeps shared bytes until the last holder lets go", () => {
    const before = liveTensors();
    const first = Tensor.from([1, 2]);
    const second = first.share();
    first.dispose();
    expect([...second.arraySync()]).toEqual([1, 2]);
    second.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("copies shared bytes before they may train, in both orders", () => {
    using frozen = Tensor.from([1, 2]);
    using trained = frozen.share();
    trained.requiresGrad = true;
    trained.write(Float32Array.of(7, 7));
    expect([...frozen.arraySync()]).toEqual([1, 2]);
    using copy = trained.share();
    trained.write(Float32Array.of(9, 9));
    expect([...copy.arraySync()]).toEqual([7, 7]);
  });

  it("shows its shape, never its numbers", () => {
    using tensor = Tensor.zeros([256, 1024]);
    expect(tensor.toString()).toBe("Tensor [256, 1024] f32, cpu, 1.00 MiB");
  });

  it("gives the number of a one-element tensor only", () => {
    using one = Tensor.from([4]);
    expect(one.item()).toBe(4);
    using two = Tensor.from([4, 5]);
    expect(() => two.item()).toThrow(ShapeError);
  });

  it("makes the same random numbers from the same seed", () => {
    using a = Tensor.randomNormal([1000], 2, 3);
    using b = Tensor.randomNormal([1000], 2, 3);
    using c = Tensor.randomNormal([1000], 2, 4);
    expect(a.arraySync()).toEqual(b.arraySync());
    expect(a.arraySync()).not.toEqual(c.arraySync());
    const values = [...a.arraySync()];
    const mean = values.reduce((x, y) => x + y, 0) / 1000;
    expect(Math.abs(mean)).toBeLessThan(0.3);
    expect(Math.sqrt(values.reduce((x, y) => x + y * y, 0) / 1000)).toBeCloseTo(2, 0);
  });
});
