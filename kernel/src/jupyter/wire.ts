import { createHmac, timingSafeEqual } from "node:crypto";
import type { Content, Header, Request } from "./protocol.js";

const DELIMITER = Buffer.from("<IDS|MSG>");
/** Signatures of the latest messages, to drop replays. */
const REMEMBERED_SIGNATURES = 65_536;

export class WireError extends Error {
  override readonly name = "WireError";
}

/**
 * Frames to messages and back: `[identities…] <IDS|MSG> hmac header parent metadata content [buffers…]`.
 * The signature covers the four dictionaries as received, byte for byte, and never the buffers. An empty key turns signing off.
 */
export class Wire {
  private readonly seen = new Set<string>();

  constructor(private readonly key: string) {}

  /** @throws {WireError} for frames without delimiter, a wrong or replayed signature, or dictionaries that are no JSON objects */
  decode(frames: readonly Uint8Array[]): Request {
    const at = frames.findIndex((frame) => DELIMITER.equals(frame));
    if (at < 0 || frames.length < at + 6) throw new WireError("[wire] a message lacks its delimiter or dictionaries.");
    const signed = frames.slice(at + 2, at + 6);
    this.verify(frames[at + 1]!, signed);
    const [header, parentHeader, metadata, content] = signed.map(parseObject) as [Content, Content, Content, Content];
    if (typeof header["msg_id"] !== "string" || typeof header["msg_type"] !== "string") {
      throw new WireError("[wire] a header lacks msg_id or msg_type.");
    }
    return {
      identities: frames.slice(0, at),
      header: header as unknown as Header,
      parentHeader: parentHeader as Partial<Header>,
      metadata,
      content,
      buffers: frames.slice(at + 6),
    };
  }

  encode(
    identities: readonly Uint8Array[],
    header: Header,
    parent: Header | null,
    metadata: Content,
    content: Content,
    buffers: readonly Uint8Array[] = [],
  ): Uint8Array[] {
    const parts = [header, parent ?? {}, metadata, content].map((part) => Buffer.from(JSON.stringify(part)));
    return [...identities, DELIMITER, Buffer.from(this.sign(parts)), ...parts, ...buffers];
  }

  private sign(parts: readonly Uint8Array[]): string {
    if (this.key === "") return "";
    const hmac = createHmac("sha256", this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }

  private verify(given: Uint8Array, parts: readonly Uint8Array[]): void {
    if (this.key === "") return;
    const expected = Buffer.from(this.sign(parts));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new WireError("[wire] a signature is wrong.");
    }
    const signature = expected.toString();
    if (this.seen.has(signature)) throw new WireError("[wire] a message came twice.");
    this.seen.add(signature);
    if (this.seen.size > REMEMBERED_SIGNATURES) this.seen.delete(this.seen.values().next().value!);
  }
}

function parseObject(bytes: Uint8Array): Content {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch {
    throw new WireError("[wire] a dictionary is no JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new WireError("[wire] a dictionary is no JSON object.");
  }
  return value as Content;
}
