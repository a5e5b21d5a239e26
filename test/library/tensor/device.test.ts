import { expect, it } from "vitest";
import { add, devices, scope, Tensor, toDevice, UnsupportedError } from "nibble-lab";

const gpu = devices().find(({ kind }) => kind === "gpu");
if (gpu === undefined) console.log("skipped: sums on a GPU, because there is no Vulkan device");

it("lists the CPU first", () => {
  expect(devices()[0]).toMatchObject({ name: "cpu", kind: "cpu", software: false });
});

it.skipIf(gpu === undefined)(
  "adds on the GPU what it adds on the CPU, and reads it back without blocking",
  async () => {
    const [left, right] = [Tensor.randomNormal([1000], 1, 1), Tensor.randomNormal([1000], 1, 2)];
    using there = scope(() => add(toDevice(left, gpu!.name), toDevice(right, gpu!.name)));
    expect(there.device).toBe(gpu!.name);
    using here = add(left, right);
    expect(await there.array()).toEqual(here.arraySync());
  },
);

it("names the devices that it has for one that it has not", () => {
  using tensor = Tensor.from([1]);
  expect(() => toDevice(tensor, "gpu:17")).toThrow(UnsupportedError);
  expect(() => toDevice(tensor, "tpu")).toThrow(/cpu/);
});
