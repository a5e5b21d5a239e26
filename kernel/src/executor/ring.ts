import type { StreamName } from "../jupyter/protocol.js";

const CAPACITY = 1 << 20; // bytes; a writer that is further ahead waits
const RECORD_HEAD = 8; // u32 payload bytes, u32 run·2 + stream
const LARGEST_RECORD = CAPACITY >> 3;
/** A writer that waits looks this often whether it was woken in vain. */
const WAIT_MS = 100;

const enum Slot {
  Written,
  Read,
  Draining,
  Count,
}

export interface Output {
  readonly run: number;
  readonly name: StreamName;
  readonly text: string;
}

/**
 * Printed text on its way from the main thread to the supervisor, in shared memory: bounded, ordered, and readable
 * while the main thread computes. Counters are bytes since the start, modulo 2³².
 */
export class OutputRing {
  private readonly state: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly encoder = new TextEncoder();
  private readonly head = new Uint8Array(RECORD_HEAD);
  private readonly headView = new DataView(this.head.buffer);
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(readonly memory = new SharedArrayBuffer(4 * Slot.Count + CAPACITY)) {
    this.state = new Int32Array(memory, 0, Slot.Count);
    this.bytes = new Uint8Array(memory, 4 * Slot.Count);
  }

  /** Main thread. `wake` is called when the supervisor has to be told; waits while the ring is full. */
  write(run: number, name: StreamName, text: string, wake: (urgent: boolean) => void): void {
    for (let at = 0; at < text.length;) {
      const end = wholeCharacters(text, at, at + (LARGEST_RECORD >> 2));
      this.writeRecord(run, name, this.encoder.encode(text.slice(at, end)), wake);
      at = end;
    }
  }

  /** Bytes written so far: what a message that follows names, so that output goes first. */
  get written(): number {
    return Atomics.load(this.state, Slot.Written);
  }

  /** Main thread, before the process exits. */
  waitUntilRead(limitMs: number): void {
    const deadline = Date.now() + limitMs;
    for (;;) {
      const read = Atomics.load(this.state, Slot.Read);
      if (read === this.written || Date.now() > deadline) return;
      Atomics.wait(this.state, Slot.Read, read, WAIT_MS);
    }
  }

  /** Supervisor: takes out what was written up to `end`, or all of it; neighbours of one stream come joined. */
  read(use: (output: Output) => void, limit?: number): void {
    Atomics.store(this.state, Slot.Draining, 0);
    const end = limit ?? this.written;
    if (((end - Atomics.load(this.state, Slot.Read)) | 0) <= 0) return;
    let at = Atomics.load(this.state, Slot.Read);
    let tag = -1;
    let texts: string[] = [];
    const emit = () => {
      if (texts.length > 0) use({ run: tag >>> 1, name: tag & 1 ? "stderr" : "stdout", text: texts.join("") });
    };
    while (at !== end) {
      const head = new DataView(this.copyOut(at, RECORD_HEAD).buffer);
      const size = head.getUint32(0, true);
      if (head.getUint32(4, true) !== tag) {
        emit();
        tag = head.getUint32(4, true);
        texts = [];
      }
      texts.push(this.decoder.decode(this.copyOut((at + RECORD_HEAD) | 0, size)));
      at = (at + RECORD_HEAD + size) | 0;
    }
    emit();
    Atomics.store(this.state, Slot.Read, at); // last: a process that is about to exit waits for it
    Atomics.notify(this.state, Slot.Read);
  }

  private writeRecord(run: number, name: StreamName, payload: Uint8Array, wake: (urgent: boolean) => void): void {
    const size = RECORD_HEAD + payload.length;
    const start = Atomics.load(this.state, Slot.Written);
    for (;;) {
      const read = Atomics.load(this.state, Slot.Read);
      if (((start - read) | 0) + size <= CAPACITY) break;
      wake(true);
      Atomics.wait(this.state, Slot.Read, read, WAIT_MS);
    }
    this.headView.setUint32(0, payload.length, true);
    this.headView.setUint32(4, run * 2 + (name === "stderr" ? 1 : 0), true);
    this.copyIn(start, this.head);
    this.copyIn((start + RECORD_HEAD) | 0, payload);
    Atomics.store(this.state, Slot.Written, (start + size) | 0); // the record exists from here on
    if (Atomics.exchange(this.state, Slot.Draining, 1) === 0) wake(false);
  }

  private copyIn(at: number, source: Uint8Array): void {
    const offset = at & (CAPACITY - 1);
    const first = Math.min(source.length, CAPACITY - offset);
    this.bytes.set(first === source.length ? source : source.subarray(0, first), offset);
    if (first < source.length) this.bytes.set(source.subarray(first), 0);
  }

  private copyOut(at: number, size: number): Uint8Array<ArrayBuffer> {
    const offset = at & (CAPACITY - 1);
    const out = new Uint8Array(size);
    const first = Math.min(size, CAPACITY - offset);
    out.set(this.bytes.subarray(offset, offset + first));
    if (first < size) out.set(this.bytes.subarray(0, size - first), first);
    return out;
  }
}

/** The largest end ≤ `end` that does not cut a surrogate pair. */
function wholeCharacters(text: string, start: number, end: number): number {
  if (end >= text.length) return text.length;
  const before = text.charCodeAt(end - 1);
  return before >= 0xd800 && before < 0xdc00 && end - 1 > start ? end - 1 : end;
}
