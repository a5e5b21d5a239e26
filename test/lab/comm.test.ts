import { COMM_TARGET, SCHEMA } from "@nibble-lab/messages";
import { KernelLink, tight } from "@nibble-lab/lab-extension/lib/comm.js";
import type { IReceived } from "@nibble-lab/lab-extension/lib/tokens.js";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { Signal } from "@lumino/signaling";
import { afterEach, describe, expect, it, vi } from "vitest";

/** The kernel's end of a comm, without sockets. */
class Comm {
  isDisposed = false;
  opened: unknown = null;
  closed = false;
  onMsg: (message: KernelMessage.ICommMsgMsg) => void = () => undefined;
  onClose: (message?: unknown) => void = () => undefined;

  open(data: unknown): { done: Promise<void> } {
    this.opened = data;
    return { done: Promise.resolve() };
  }

  close(): void {
    this.closed = true;
  }

  /** What the kernel sends. */
  push(data: unknown, buffers: (ArrayBuffer | ArrayBufferView)[] = []): void {
    this.onMsg({ content: { comm_id: "c", data }, buffers } as unknown as KernelMessage.ICommMsgMsg);
  }
}

/** As much of a kernel connection as a link touches. */
class Connection {
  readonly comms: Comm[] = [];
  readonly statusChanged = new Signal<this, Kernel.Status>(this);
  readonly connectionStatusChanged = new Signal<this, Kernel.ConnectionStatus>(this);
  readonly disposed = new Signal<this, void>(this);
  readonly connectionStatus = "connected";
  isDisposed = false;
  readonly info: Promise<unknown>;

  constructor(
    language = "typescript",
    readonly handleComms = true,
  ) {
    this.info = Promise.resolve({ implementation: `a kernel for ${language}`, language_info: { name: language } });
  }

  createComm(target: string): Comm {
    expect(target).toBe(COMM_TARGET);
    const comm = new Comm();
    this.comms.push(comm);
    return comm;
  }

  get comm(): Comm {
    return this.comms.at(-1)!;
  }
}

const hello = { kind: "hello", schema: SCHEMA, kernelVersion: "0.1.0", session: "s" };

async function link(connection: Connection): Promise<KernelLink> {
  const made = new KernelLink(connection as unknown as Kernel.IKernelConnection);
  await connection.info;
  await Promise.resolve();
  return made;
}

describe("KernelLink", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("opens the comm from this side with the schemas that it reads", async () => {
    const connection = new Connection();
    const { state } = await link(connection);
    expect(connection.comm.opened).toEqual({ schemas: [SCHEMA], topics: ["memory", "pca"] });
    expect(state.kind).toBe("connecting");
  });

  it("is connected once the kernel has said hello", async () => {
    const connection = new Connection();
    const made = await link(connection);
    connection.comm.push(hello);
    expect(made.state).toEqual({ kind: "connected", hello });
  });

  it("shows the kernel's words when no schema fits", async () => {
    const connection = new Connection();
    const made = await link(connection);
    connection.comm.push({ kind: "refusal", message: "this kernel speaks 9" });
    connection.comm.onClose();
    expect(made.state).toEqual({ kind: "mismatch", message: "this kernel speaks 9" });
  });

  it("does not read a schema that it did not offer", async () => {
    const connection = new Connection();
    const made = await link(connection);
    connection.comm.push({ ...hello, schema: SCHEMA + 1 });
    expect(made.state.kind).toBe("mismatch");
  });

  it("asks no kernel of another language", async () => {
    const connection = new Connection("python");
    const made = await link(connection);
    expect(connection.comms).toHaveLength(0);
    expect(made.state).toEqual({ kind: "foreign", kernel: "a kernel for python" });
  });

  it("calls a kernel foreign that closes the comm without a word", async () => {
    const connection = new Connection();
    const made = await link(connection);
    connection.comm.onClose();
    expect(made.state.kind).toBe("foreign");
  });

  it("leaves a connection alone that may not carry comms", async () => {
    const connection = new Connection("typescript", false);
    const made = await link(connection);
    expect(connection.comms).toHaveLength(0);
    expect(made.state.kind).toBe("taken");
  });

  it("opens a new comm after a restart, and ignores the old one", async () => {
    const connection = new Connection();
    const made = await link(connection);
    const old = connection.comm;
    old.push(hello);
    connection.statusChanged.emit("restarting");
    expect(made.state.kind).toBe("lost");
    connection.statusChanged.emit("idle");
    await connection.info;
    expect(connection.comms).toHaveLength(2);
    old.push({ kind: "refusal", message: "too late" });
    expect(made.state.kind).toBe("connecting");
    connection.comm.push(hello);
    expect(made.state.kind).toBe("connected");
  });

  it("opens a new comm when the connection comes back", async () => {
    const connection = new Connection();
    const made = await link(connection);
    connection.comm.push(hello);
    connection.connectionStatusChanged.emit("connecting");
    expect(made.state.kind).toBe("lost");
    connection.connectionStatusChanged.emit("connected");
    await connection.info;
    expect(connection.comms).toHaveLength(2);
    expect(connection.comms[0]?.closed).toBe(true);
  });

  it("calls a kernel foreign that has handled the comm and stays silent", async () => {
    vi.useFakeTimers();
    const connection = new Connection();
    const made = await link(connection);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(made.state.kind).toBe("connecting");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(made.state.kind).toBe("foreign");
  });

  it("asks again until a fresh executor answers", async () => {
    vi.useFakeTimers();
    const connection = new Connection();
    const made = await link(connection);
    connection.comm.push(hello);
    for (let crash = 0; crash < 3; crash++) {
      connection.comm.onClose();
      expect(made.state.kind).toBe("lost");
      await vi.advanceTimersByTimeAsync(1_100);
    }
    expect(connection.comms).toHaveLength(4);
    connection.comm.push({ ...hello, session: "t" });
    expect(made.state).toMatchObject({ kind: "connected", hello: { session: "t" } });
  });

  it("passes decoded messages on and drops kinds that it does not know", async () => {
    const connection = new Connection();
    const made = await link(connection);
    const received: Omit<IReceived, "source">[] = [];
    made.received.connect((_, one) => received.push(one));
    const bytes = new Float32Array([1, 2, 3]);
    connection.comm.push({ kind: "from.the.future" });
    connection.comm.push({ kind: "memory.sample" }, [new DataView(bytes.buffer, 4, 8)]);
    expect(received.map(({ message }) => message.kind)).toEqual(["memory.sample"]);
    expect([...new Float32Array(received[0]!.buffers[0]!)]).toEqual([2, 3]);
  });

  it("closes the comm when disposed, twice as well as once", async () => {
    const connection = new Connection();
    const made = await link(connection);
    made.dispose();
    made.dispose();
    connection.comm.push(hello);
    expect(made.state.kind).toBe("connecting");
    expect(connection.comm.closed).toBe(true);
  });
});

describe("tight", () => {
  it("copies only what is part of a larger buffer", () => {
    const whole = new Float32Array([1, 2, 3, 4]);
    expect(tight(whole)).toBe(whole.buffer);
    expect(new Float32Array(tight(whole.subarray(1, 3)))).toEqual(new Float32Array([2, 3]));
  });
});
