/**
 * How protocol process and executor talk over their two pipes: one JSON value and any number of buffers a frame,
 * `u32 jsonBytes, u32 count, count × u32 bufferBytes, json, buffers…`, little-endian.
 */
export interface Frame<Value> {
  readonly value: Value;
  readonly buffers: readonly Uint8Array[];
}

export function encodeFrame(value: unknown, buffers: readonly Uint8Array[] = []): Uint8Array[] {
  const json = Buffer.from(JSON.stringify(value));
  const head = Buffer.alloc(8 + 4 * buffers.length);
  head.writeUInt32LE(json.length, 0);
  head.writeUInt32LE(buffers.length, 4);
  buffers.forEach((buffer, index) => head.writeUInt32LE(buffer.byteLength, 8 + 4 * index));
  return [head, json, ...buffers];
}

/** Cuts a byte stream back into frames. */
export class FrameReader<Value> {
  private chunks: Buffer[] = [];
  private length = 0;
  private needed = 8;

  constructor(private readonly use: (frame: Frame<Value>) => void) {}

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.length += chunk.length;
    if (this.length < this.needed) return;
    let bytes = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks, this.length);
    for (let size = this.frameSize(bytes); bytes.length >= size; size = this.frameSize(bytes)) {
      this.use(parse<Value>(bytes.subarray(0, size)));
      bytes = bytes.subarray(size);
    }
    this.chunks = bytes.length > 0 ? [bytes] : [];
    this.length = bytes.length;
  }

  /** Bytes of the first frame, or what is needed to know that. */
  private frameSize(bytes: Buffer): number {
    let size = 8;
    if (bytes.length >= 8) {
      const count = bytes.readUInt32LE(4);
      size += 4 * count;
      if (bytes.length >= size) {
        for (let index = 0; index < count; index++) size += bytes.readUInt32LE(8 + 4 * index);
        size += bytes.readUInt32LE(0);
      }
    }
    this.needed = size;
    return size;
  }
}

function parse<Value>(bytes: Buffer): Frame<Value> {
  const count = bytes.readUInt32LE(4);
  let at = 8 + 4 * count;
  const jsonEnd = at + bytes.readUInt32LE(0);
  const value = JSON.parse(bytes.toString("utf8", at, jsonEnd)) as Value;
  at = jsonEnd;
  const buffers = Array.from({ length: count }, (_, index) => {
    const end = at + bytes.readUInt32LE(8 + 4 * index);
    const buffer = Uint8Array.prototype.slice.call(bytes, at, end);
    at = end;
    return buffer;
  });
  return { value, buffers };
}
