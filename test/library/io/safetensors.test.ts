import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  FormatError,
  liveTensors,
  OptionError,
  SafetensorsFile,
  Tensor,
  UnsupportedError,
  writeSafetensors,
} from "nibble-lab";

const folder = mkdtempSync(join(tmpdir(), "nibble-lab-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of this header and so many bytes of data. */
function file(header: unknown, dataBytes: number, claimed?: bigint): string {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(json.length));
  const path = join(folder, `${Math.random()}.safetensors`);
  writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
  return path;
}
function emptyFile(): string {
  const path = join(folder, "empty.safetensors");
  writeFileSync(path, "");
  return path;
}
const f32 = (shape: unknown, from: unknown, to: unknown) => ({ dtype: "F32", shape, data_offsets: [from, to] });

describe("safetensors", () => {
  it("reads back what it wrote, padded to eight bytes", async () => {
    const before = liveTensors();
    const tensors = new Map([
      ["a", Tensor.from(Float32Array.of(1, 2, 3), [3, 1])],
      ["codes", Tensor.from(Uint8Array.of(7, 8))],
      ["ids", Tensor.from(Int32Array.of(-1))],
    ]);
    const path = join(folder, "round.safetensors");
    await writeSafetensors(path, tensors, { format: "pt" });
    expect(Number(readFileSync(path).readBigUInt64LE()) % 8).toBe(0);
    const opened = await SafetensorsFile.open(path);
    expect(opened.metadata).toEqual({ format: "pt" });
    for (const [name, tensor] of tensors) {
      using copy = await opened.read(name);
      expect([copy.shape, copy.dtype, copy.arraySync()]).toEqual([tensor.shape, tensor.dtype, tensor.arraySync()]);
      tensor.dispose();
    }
    await opened.close();
    expect(liveTensors()).toBe(before);
  });

  it("turns halves into f32", async () => {
    const path = join(folder, "halves.safetensors");
    using bf16 = Tensor.from(Uint16Array.of(0x3f80, 0xc010), [2], { dtype: "bf16" });
    using f16 = Tensor.from(Uint16Array.of(0x3c00, 0xc080), [2], { dtype: "f16" });
    await writeSafetensors(
      path,
      new Map([
        ["b", bf16],
        ["h", f16],
      ]),
    );
    const opened = await SafetensorsFile.open(path);
    for (const name of ["b", "h"]) {
      using wide = await opened.read(name);
      expect(wide.arraySync()).toEqual(Float32Array.of(1, -2.25));
    }
    await opened.close();
  });

  it("names the nearest tensor, and the dtypes that it reads", async () => {
    const opened = await SafetensorsFile.open(
      file({ "norm.weight": { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, 8),
    );
    await expect(opened.read("norm.wieght")).rejects.toThrow(OptionError);
    await expect(opened.read("norm.wieght")).rejects.toThrow('Did you mean "norm.weight"?');
    await expect(opened.read("norm.weight")).rejects.toThrow(UnsupportedError);
    await expect(opened.read("norm.weight")).rejects.toThrow("Supported: BF16, F16, F32, I32, I8, U8.");
    await opened.close();
  });

  it.each<[string, string, string]>([
    ["an empty file", emptyFile(), "byte 0: the file has 0 bytes"],
    ["a header longer than the file", file({}, 0, 1000n), "byte 0: the header claims 1000 bytes"],
    ["a header of 2^63 bytes", file({}, 0, 2n ** 63n), "Allowed: up to 104857600"],
    ["a header that is not JSON", file("{nope", 0), "byte 8: the header is not JSON"],
    ["an entry that is a number", file({ a: 1 }, 0), 'tensor "a": its entry is not an object'],
    ["a header that is an array", file([], 0), "not a JSON object"],
    ["metadata that is not strings", file({ __metadata__: { a: 1 } }, 0), "__metadata__ is not an object of strings"],
    [
      "an unknown dtype",
      file({ a: { dtype: "F31", shape: [1], data_offsets: [0, 4] } }, 4),
      'dtype is "F31". Allowed: BF16, BOOL',
    ],
    [
      "a dtype that is a property of every object",
      file({ a: { dtype: "constructor", shape: [1], data_offsets: [0, 4] } }, 4),
      'dtype is "constructor"',
    ],
    ["a negative dimension", file({ a: f32([-1], 0, 4) }, 4), "shape is [-1]"],
    ["a fractional dimension", file({ a: f32([1.5], 0, 6) }, 6), "shape is [1.5]"],
    ["a shape whose product overflows", file({ a: f32([2 ** 30, 2 ** 30], 0, 4) }, 4), "too many elements"],
    ["offsets that run backwards", file({ a: f32([1], 4, 0) }, 4), "claims bytes"],
    ["offsets beyond the file", file({ a: f32([2], 0, 8) }, 4), "claims bytes"],
    ["three offsets", file({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4, 4] } }, 4), "data_offsets"],
    ["a size that contradicts the shape", file({ a: f32([2], 0, 4) }, 4), "needs 8 bytes and has 4"],
    ["overlapping tensors", file({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4), "Overlaps and holes"],
    ["a hole between tensors", file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), "Overlaps and holes"],
    ["bytes that belong to no tensor", file({ a: f32([1], 0, 4) }, 8), "the tensors end here"],
  ])("refuses %s", async (_, path, message) => {
    const opening = SafetensorsFile.open(path);
    await expect(opening).rejects.toThrow(FormatError);
    await expect(opening).rejects.toThrow(message);
    const details = await opening.catch((error: FormatError) => error.details);
    expect(details).toMatchObject({ path, offset: expect.any(Number) as number });
  });

  it("takes a tensor named like a property of every object", async () => {
    const opened = await SafetensorsFile.open(file('{"__proto__":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4));
    expect([...opened.tensors.keys()]).toEqual(["__proto__"]);
    await opened.close();
  });
});
