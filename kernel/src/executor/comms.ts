import { randomUUID } from "node:crypto";
import type { Content } from "../jupyter/protocol.js";
import type { FromMain, ToMain } from "./messages.js";

export type CommHandler = (comm: Comm, data: Content, buffers: readonly Uint8Array[]) => void;
type Post = (message: FromMain, buffers?: readonly Uint8Array[]) => void;

/** @throws where the data is no JSON: it would fail later, in another thread, and nobody would know where */
function checked(data: Content): Content {
  try {
    JSON.stringify(data);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new TypeError(
      `[comm] the data cannot be sent as JSON: ${reason}. Send bytes as buffers, numbers and text as data.`,
    );
  }
  return data;
}

/** One line between a cell's code and something in the front end; both sides may speak, with binary buffers. */
export class Comm {
  onMessage: ((data: Content, buffers: readonly Uint8Array[]) => void) | null = null;
  onClose: ((data: Content) => void) | null = null;

  constructor(
    readonly id: string,
    readonly target: string,
    private readonly post: Post,
  ) {}

  send(data: Content, buffers: readonly Uint8Array[] = []): void {
    this.post({ kind: "comm_msg", id: this.id, data: checked(data) }, buffers);
  }

  close(data: Content = {}): void {
    this.post({ kind: "comm_close", id: this.id, data: checked(data) });
  }
}

/** Comms of user code: targets that it registered, and lines that it opened. */
export class Comms {
  private readonly targets = new Map<string, CommHandler>();
  private readonly open = new Map<string, Comm>();

  constructor(private readonly post: Post) {}

  /** From here on a front end may open this target; the handler gets every comm that does. */
  register(target: string, handler: CommHandler): void {
    this.targets.set(target, handler);
    this.post({ kind: "comm_target", target, open: true });
  }

  unregister(target: string): void {
    this.targets.delete(target);
    this.post({ kind: "comm_target", target, open: false });
  }

  /** Opens a comm to a target of the front end. */
  connect(target: string, data: Content = {}, buffers: readonly Uint8Array[] = []): Comm {
    const comm = new Comm(randomUUID(), target, this.post);
    this.post({ kind: "comm_open", id: comm.id, target, data: checked(data) }, buffers);
    this.open.set(comm.id, comm);
    return comm;
  }

  receive(message: ToMain, buffers: readonly Uint8Array[]): void {
    if (message.kind === "comm_open") {
      const comm = new Comm(message.id, message.target, this.post);
      this.open.set(comm.id, comm);
      this.targets.get(message.target)?.(comm, message.data, buffers);
    } else if (message.kind === "comm_msg") {
      this.open.get(message.id)?.onMessage?.(message.data, buffers);
    } else if (message.kind === "comm_close") {
      this.open.get(message.id)?.onClose?.(message.data);
      this.open.delete(message.id);
    }
  }
}
