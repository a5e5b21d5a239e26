import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { clearInterrupt, interrupt } from "@nibble-lab/native";
import { afterEach, describe, expect, it } from "vitest";
import {
  DTypeError,
  InterruptedError,
  liveTensors,
  matmul,
  OutOfMemoryError,
  scope,
  setMemoryLimit,
  ShapeError,
  Tensor,
} from "nibble-lab";
import { collectedTensors, memoryStats } from "../../../kernel/library/lib/tensor/device.js";
import { tinyModel } from "../tiny-model.js";

afterEach(() => {
  clearInterrupt();
  setMemoryLimit(0);
});

describe("the addon's errors", () => {
  it("arrive as the library's classes, with the operation and a cause", () => {
    scope(() => {
      const [a, b] = [Tensor.zeros([2, 3]), Tensor.zeros([2, 3])];
      expect(() => matmul(a, b)).toThrow(ShapeError);
      expect(() => matmul(a, b)).toThrow(/^\[matmul\] /);
      expect(() => matmul(a, Tensor.from(Int32Array.of(1, 2, 3), [3, 1]))).toThrow(DTypeError);
    });
  });

  it("name the largest owners when a limit is reached, and lose nothing", () => {
    using held = Tensor.zeros([1024], { owner: "the one that fills it" });
    const before = liveTensors();
    setMemoryLimit(memoryStats().reduce((sum, { live }) => sum + live, 0) + 1024);
    expect(() => Tensor.zeros([1024])).toThrow(OutOfMemoryError);
    expect(() => Tensor.zeros([1024])).toThrow("the one that fills it");
    expect(liveTensors()).toBe(before);
    setMemoryLimit(0);
    Tensor.zeros([1024]).dispose();
    expect(held.disposed).toBe(false);
  });

  it("stop a forward pass when the process is interrupted, and leave the model whole", () => {
    using model = tinyModel();
    const logits = scope(() => model.run([1, 2, 3]).arraySync());
    const before = liveTensors();
    interrupt();
    expect(() => model.run([1, 2, 3])).toThrow(InterruptedError);
    expect(liveTensors()).toBe(before);
    clearInterrupt();
    expect(scope(() => model.run([1, 2, 3]).arraySync())).toEqual(logits);
  });
});

it("frees what nobody holds when the garbage collector finds it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const before = liveTensors();
  const collected = collectedTensors();
  (() => {
    for (let index = 0; index < 50; index++) Tensor.zeros([16]);
  })();
  expect(liveTensors()).toBe(before + 50);
  // Finalizers run in a later turn of the event loop than the collection.
  for (let turn = 0; turn < 1000 && liveTensors() > before; turn++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(liveTensors()).toBe(before);
  expect(collectedTensors()).toBe(collected + 50);
});
