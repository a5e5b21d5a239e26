import { open, rename, type FileHandle } from "node:fs/promises";
import { DTypeError, FormatError, OptionError, UnsupportedError } from "../errors.js";
import { didYouMean, shown } from "../options.js";
import { viewBytes, type Category, type DType } from "../tensor/dtype.js";
import { cast } from "../tensor/ops.js";
import { Tensor } from "../tensor/tensor.js";

/** Bytes of an element of every dtype of the format, and ours where we read it. */
const fileDtypes: Readonly<Record<string, { readonly bytes: number; readonly ours?: DType }>> = {
  BF16: { bytes: 2, ours: "bf16" },
  BOOL: { bytes: 1 },
  F16: { bytes: 2, ours: "f16" },
  F32: { bytes: 4, ours: "f32" },
  F64: { bytes: 8 },
  F8_E4M3: { bytes: 1 },
  F8_E5M2: { bytes: 1 },
  I16: { bytes: 2 },
  I32: { bytes: 4, ours: "i32" },
  I64: { bytes: 8 },
  I8: { bytes: 1, ours: "i8" },
  U16: { bytes: 2 },
  U32: { bytes: 4 },
  U64: { bytes: 8 },
  U8: { bytes: 1, ours: "u8" },
};
const MAX_HEADER_BYTES = 100 * 1024 * 1024; // the cap of the format's own reader
const LENGTH_BYTES = 8;

export interface FileTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes [start, end) of the file. */
  readonly start: number;
  readonly end: number;
}

/**
 * A safetensors file, opened for reading: the header is checked whole before anything is read, tensors are read one by one.
 *
 * @example
 * const file = await SafetensorsFile.open("model.safetensors"); const weight = await file.read("model.norm.weight"); await file.close();
 */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    readonly tensors: ReadonlyMap<string, FileTensor>,
    readonly metadata: Readonly<Record<string, string>>,
  ) {}

  /** @throws {FormatError} with path and byte offset, for anything that the format forbids */
  static async open(path: string): Promise<SafetensorsFile> {
    const handle = await open(path, "r");
    try {
      const { size } = await handle.stat();
      const length = await headerLength(handle, size, path);
      const header = parseHeader(await bytesAt(handle, LENGTH_BYTES, length, path), path);
      const { __metadata__: metadata, ...entries } = header;
      const tensors = checkEntries(new Map(Object.entries(entries)), LENGTH_BYTES + length, size, path);
      return new SafetensorsFile(path, handle, tensors, checkMetadata(metadata, path));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * One tensor; F16 and BF16 become f32. The caller disposes.
   *
   * @throws {OptionError} for a name that the file does not have · {UnsupportedError} for a dtype that is not read
   */
  async read(name: string, category: Category = "weights", owner = name): Promise<Tensor> {
    const entry = this.tensors.get(name);
    if (entry === undefined) {
      const hint = didYouMean(name, [...this.tensors.keys()]);
      throw new OptionError(
        "safetensors",
        `${this.path} has no tensor ${JSON.stringify(name)}; it has ${this.tensors.size} others.${hint}`,
      );
    }
    const dtype = fileDtypes[entry.dtype]!.ours;
    if (dtype === undefined) {
      const known = Object.keys(fileDtypes).filter((key) => fileDtypes[key]!.ours !== undefined);
      throw new UnsupportedError(
        "safetensors",
        `${this.path}: "${name}" has dtype ${entry.dtype}. Supported: ${known.join(", ")}.`,
      );
    }
    const bytes = await bytesAt(this.handle, entry.start, entry.end - entry.start, this.path);
    const tensor = Tensor.from(viewBytes(bytes, dtype), entry.shape, { dtype, category, owner });
    if (dtype !== "f16" && dtype !== "bf16") return tensor;
    const wide = cast(tensor, "f32", category, owner);
    tensor.dispose();
    return wide;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/**
 * Writes tensors (f32, f16, bf16, i32, i8, u8) to a safetensors file, through a temporary file beside it: either all of it is there or nothing.
 *
 * @example
 * await writeSafetensors("adapter.safetensors", new Map([["a", tensor]]), { format: "pt" });
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, tensor] of tensors) {
    header[name] = { dtype: fileDtype(tensor), shape: tensor.shape, data_offsets: [offset, (offset += tensor.bytes)] };
  }
  const json = Buffer.from(JSON.stringify(header));
  // Padded so that the data starts at a multiple of 8.
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, " ");
  json.copy(padded);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(padded.length));
  const temporary = `${path}.${process.pid}.part`;
  const handle = await open(temporary, "w");
  try {
    await handle.writeFile(Buffer.concat([length, padded]));
    for (const tensor of tensors.values()) {
      const data = await tensor.array();
      await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    // On the disk before its name is: after a power cut the old file is there or the new one, never half of it.
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
}

function fileDtype(tensor: Tensor): string {
  const found = Object.keys(fileDtypes).find((key) => fileDtypes[key]!.ours === tensor.dtype);
  if (found === undefined)
    throw new DTypeError("writeSafetensors", `A tensor has dtype ${tensor.dtype}, which the format lacks.`);
  return found;
}

function broken(path: string, offset: number, text: string): FormatError {
  return new FormatError("safetensors", `${path}, byte ${offset}: ${text}`, { path, offset });
}

async function headerLength(handle: FileHandle, size: number, path: string): Promise<number> {
  if (size < LENGTH_BYTES)
    throw broken(path, 0, `the file has ${size} bytes. A safetensors file begins with 8 bytes of header length.`);
  const length = (await bytesAt(handle, 0, LENGTH_BYTES, path)).readBigUInt64LE();
  if (length > BigInt(MAX_HEADER_BYTES))
    throw broken(path, 0, `the header claims ${length} bytes. Allowed: up to ${MAX_HEADER_BYTES}.`);
  if (length > BigInt(size - LENGTH_BYTES))
    throw broken(path, 0, `the header claims ${length} bytes, the file has ${size}. It may be cut off.`);
  return Number(length);
}

async function bytesAt(handle: FileHandle, position: number, length: number, path: string): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw broken(path, position + done, "the file ended while it was read.");
    done += bytesRead;
  }
  return buffer;
}

function parseHeader(bytes: Buffer, path: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw broken(
      path,
      LENGTH_BYTES,
      `the header is not JSON: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw broken(path, LENGTH_BYTES, "the header is not a JSON object.");
  return header as Record<string, unknown>;
}

function checkMetadata(metadata: unknown, path: string): Record<string, string> {
  if (metadata === undefined) return {};
  const valid =
    typeof metadata === "object" &&
    metadata !== null &&
    Object.values(metadata).every((value) => typeof value === "string");
  if (!valid) throw broken(path, LENGTH_BYTES, "__metadata__ is not an object of strings.");
  return metadata as Record<string, string>;
}

function checkEntries(
  entries: ReadonlyMap<string, unknown>,
  dataStart: number,
  size: number,
  path: string,
): Map<string, FileTensor> {
  const tensors = new Map<string, FileTensor>();
  for (const [name, entry] of entries) tensors.set(name, checkEntry(name, entry, dataStart, size, path));
  let expected = dataStart;
  for (const [name, { start, end }] of [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (start !== expected)
      throw broken(
        path,
        start,
        `"${name}" starts at ${start}, the tensor before it ends at ${expected}. Overlaps and holes are not allowed.`,
      );
    expected = end;
  }
  if (expected !== size) throw broken(path, expected, `the tensors end here, the file has ${size} bytes.`);
  return tensors;
}

function checkEntry(name: string, entry: unknown, dataStart: number, size: number, path: string): FileTensor {
  const fail = (text: string) => broken(path, LENGTH_BYTES, `tensor ${shown(name)}: ${text}`);
  if (typeof entry !== "object" || entry === null) throw fail("its entry is not an object.");
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  const width = typeof dtype === "string" && Object.hasOwn(fileDtypes, dtype) ? fileDtypes[dtype]!.bytes : undefined;
  if (width === undefined) throw fail(`dtype is ${shown(dtype)}. Allowed: ${Object.keys(fileDtypes).join(", ")}.`);
  if (!isCounts(shape)) throw fail(`shape is ${shown(shape)}. Allowed: an array of whole numbers.`);
  if (!isCounts(offsets) || offsets.length !== 2)
    throw fail(`data_offsets is ${shown(offsets)}. Allowed: two whole numbers.`);
  const elements = shape.reduce((a, b) => a * b, 1);
  const [start, end] = [dataStart + offsets[0]!, dataStart + offsets[1]!];
  if (!Number.isSafeInteger(elements * width)) throw fail(`shape [${shape.join(", ")}] has too many elements.`);
  if (end < start || end > size)
    throw broken(path, start, `tensor ${shown(name)} claims bytes ${start} to ${end}, the file has ${size}.`);
  if (end - start !== elements * width) {
    throw broken(
      path,
      start,
      `tensor ${shown(name)} [${shape.join(", ")}] ${String(dtype)} needs ${elements * width} bytes and has ${end - start}.`,
    );
  }
  return { dtype: dtype as string, shape, start, end };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry) && (entry as number) >= 0);
}
