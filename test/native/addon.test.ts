/** The addon through its package: every declared function is there, errors carry codes, malformed calls never crash. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import * as native from "@nibble-lab/native";
import { afterEach, describe, expect, test } from "vitest";

const declarations = readFileSync(new URL("../../native/index.d.ts", import.meta.url), "utf8");
const declared = [...declarations.matchAll(/^export (?:declare )?function (\w+)/gm)].map((match) => match[1]!);
const addon = native as unknown as Record<string, (...args: unknown[]) => unknown>;

const CODES = [
  "ShapeError",
  "DTypeError",
  "OptionError",
  "UnsupportedError",
  "FormatError",
  "DisposedError",
  "OutOfMemoryError",
  "NumericsError",
  "InterruptedError",
];

function floats(values: number[], shape = [values.length]): native.Handle {
  return native.tensorFromBytes(new Uint8Array(Float32Array.from(values).buffer), "f32", shape, "weights", "test");
}

function read(handle: native.Handle): number[] {
  const bytes = native.tensorReadSync(handle);
  return [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)];
}

function thrown(call: () => unknown): { code?: string; message: string } {
  try {
    call();
  } catch (error) {
    return error as { code?: string; message: string };
  }
  throw new Error("nothing was thrown");
}

afterEach(() => {
  native.clearInterrupt();
  native.setMemoryLimit(0);
});

describe("surface", () => {
  test("every declared function is exported, and nothing else", () => {
    expect(declared.length).toBeGreaterThan(60);
    const exported = Object.keys(native).filter((name) => typeof addon[name] === "function");
    expect(exported.sort()).toEqual([...declared].sort());
  });

  test("the engine says what computes", () => {
    const info = native.engineInfo();
    expect(info.threads).toBeGreaterThan(0);
    expect(["avx512bf16", "avx512", "avx2", "baseline"]).toContain(info.isa);
    expect(info.processor).not.toBe("");
    expect(native.devices()[0]).toMatchObject({ name: "cpu", kind: "cpu", software: false });
  });

  test("exports catch panics, and asynchronous work has one task", () => {
    const root = new URL("../../native/binding/src/", import.meta.url);
    const files = readdirSync(root).filter((name) => name.endsWith(".rs"));
    const sources = files.map((name) => readFileSync(new URL(name, root), "utf8")).join("\n");
    const functions = [...sources.matchAll(/#\[napi(\(.*\))?\]\s*pub fn (\w+)/g)];
    expect(functions.length).toBe(declared.length);
    expect(functions.filter((match) => !match[1]?.includes("catch_unwind")).map((match) => match[2])).toEqual([]);
    expect([...sources.matchAll(/impl Task for (\w+)/g)].map((match) => match[1])).toEqual(["Job"]);
    expect(sources).toMatch(/fn compute[^]*?catch_unwind/);
  });
});

describe("malformed calls", () => {
  const garbage: unknown[] = [undefined, null, "text", Number.NaN, -1, 0.5, 1e300, {}, [], () => 0, true];

  test("of every function throw one of the codes, or return", async () => {
    const harmless = new Set(["interrupt", "clearInterrupt", "resetPeakMemory", "setMemoryLimit"]);
    for (const name of declared.filter((name) => !harmless.has(name))) {
      for (const value of garbage) {
        for (const count of [0, 1, 2, 8]) {
          try {
            await addon[name]!(...Array<unknown>(count).fill(value));
          } catch (error) {
            expect(CODES, `${name}(${String(value)} × ${count}): ${String(error)}`).toContain(
              (error as { code: string }).code,
            );
          }
        }
      }
    }
    expect(read(floats([1, 2]))).toEqual([1, 2]);
  });

  test("name the operation, what came and what is allowed", () => {
    const x = floats([1, 2, 3, 4, 5, 6], [2, 3]);
    const cases: [() => unknown, string, string][] = [
      [() => native.matmul(x, x), "ShapeError", "[matmul] b has shape [2, 3]. Expected [3, n], because a is [2, 3]."],
      [() => native.tensorZeros([2], "f64" as "f32", "weights", "x"), "OptionError", 'one of "f32", "f16"'],
      [() => native.tensorZeros([2], "f32", "stuff" as "cache", "x"), "OptionError", '"weights", "scales"'],
      [() => native.tensorZeros([2], "f32", "cache", ""), "OptionError", "owner is empty"],
      [() => native.tensorZeros([1.5], "f32", "cache", "x"), "OptionError", "shape is 1.5"],
      [() => native.tensorZeros([2 ** 40, 2 ** 40], "f32", "cache", "x"), "ShapeError", "2^40 elements"],
      [() => native.quantizeInteger(x, { bits: 7, group: 0 }), "OptionError", "[quantizeInteger] bits is 7."],
      [() => native.quantizeBlocks(x, "nf4", 60), "OptionError", "[quantizeBlocks] block is 60."],
      [() => native.matmul("x" as unknown as number, x), "OptionError", "[matmul]"],
      [() => native.tensorWrite(x, new Uint8Array(3)), "FormatError", "Expected 24 bytes"],
    ];
    for (const [call, code, part] of cases) {
      const error = thrown(call);
      expect(error.code, error.message).toBe(code);
      expect(error.message).toContain(part);
    }
  });

  test("of a disposed tensor throw, disposing twice does not", () => {
    const x = floats([1]);
    native.tensorDispose(x);
    native.tensorDispose(x);
    expect(thrown(() => native.tensorInfo(x))).toMatchObject({
      code: "DisposedError",
      message: "[tensorInfo] tensor was disposed. Keep a tensor until its last use.",
    });
    expect(thrown(() => native.tensorDispose(12345.5)).code).toBe("DisposedError");
  });
});

describe("tensors", () => {
  test("are read at the moment of the call", async () => {
    const x = floats([1, 2]);
    const reading = native.tensorRead(x);
    native.scaleInPlace(x, 10);
    native.tensorDispose(x);
    const bytes = await reading;
    expect([...new Float32Array(bytes.buffer)]).toEqual([1, 2]);
    expect(thrown(() => native.tensorRead(x)).code).toBe("DisposedError");
  });

  test("of no elements go through", () => {
    const none = floats([], [0, 3]);
    expect(native.tensorInfo(native.matmul(none, floats([1, 2, 3], [3, 1]))).shape).toEqual([0, 1]);
    expect(native.tensorReadSync(none).byteLength).toBe(0);
  });

  test("carry their category and owner", () => {
    const x = floats([1]);
    native.tensorRelabel(x, "optimizer", "moment");
    expect(native.tensorInfo(x)).toMatchObject({ category: "optimizer", owner: "moment", dtype: "f32", bytes: 4 });
  });
});

describe("process", () => {
  test("the limit throws an error that names owners", () => {
    const held = native.tensorZeros([1 << 20], "u8", "weights", "the model");
    native.setMemoryLimit(native.memoryStats()[0]!.live + 100);
    const error = thrown(() => native.tensorZeros([1000], "u8", "cache", "x"));
    expect(error.code).toBe("OutOfMemoryError");
    expect(error.message).toContain("the model (weights, 1048576 bytes)");
    native.tensorDispose(held);
  });

  test("memory adds up by category", () => {
    const stats = native.memoryStats()[0]!;
    const total = (bytes: number[]) => bytes.reduce((a, b) => a + b, 0);
    expect(total(stats.liveByCategory)).toBe(stats.live);
    expect(total(stats.atPeakByCategory)).toBe(stats.peak);
    expect(native.categories()).toHaveLength(stats.liveByCategory.length);
    const owners = native.memoryOwners(1e6);
    expect(total(owners.map((held) => held.bytes))).toBe(stats.live);
    const events = native.memoryEvents(0);
    const last = events.at(-1)!;
    expect(native.memoryEvents(last.sequence)).toEqual([last]);
  });

  test("another thread interrupts and sees the same memory", async () => {
    const x = native.tensorZeros([512, 512], "f32", "weights", "seen from the worker");
    const source = `
      import { parentPort } from "node:worker_threads";
      import * as native from "@nibble-lab/native";
      parentPort.postMessage(native.memoryOwners(1000).some((held) => held.owner === "seen from the worker"));
      setTimeout(() => native.interrupt(), 50);
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(resolved(source))}`));
    expect(await new Promise((done) => worker.once("message", done))).toBe(true);
    // Multiplies until it is stopped: this thread never returns to its event loop.
    const error = thrown(() => {
      for (;;) native.tensorDispose(native.matmul(x, x));
    });
    expect(error.code).toBe("InterruptedError");
    native.clearInterrupt();
    native.tensorDispose(native.add(x, x));
    await worker.terminate();
  });
});

/** A data: module resolves no package names: they become addresses here. */
function resolved(source: string): string {
  const address = pathToFileURL(createRequire(import.meta.url).resolve("@nibble-lab/native")).href;
  return source.replace('"@nibble-lab/native"', JSON.stringify(address));
}
