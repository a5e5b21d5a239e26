import { randomUUID } from "node:crypto";
import { userInfo } from "node:os";
import { PROTOCOL_VERSION, type Content, type Header, type Outgoing, type Request } from "./protocol.js";
import type { Frames, RequestChannel, Sockets } from "./sockets.js";
import { Wire, WireError } from "./wire.js";

/** What a handler leaves behind: the content of the reply, or null for messages that get none. */
export interface Handled {
  readonly reply: Content | null;
  /** True after a failed cell: cells that wait behind it do not run. */
  readonly abortWaiting?: boolean;
  /** Runs when the reply and idle have been sent. */
  readonly after?: () => void;
}
export type Handler = (request: Request, channel: RequestChannel) => Promise<Handled> | Handled;

export interface HandlerTable {
  /** Answered as they come, also while a cell runs. */
  readonly immediate: Readonly<Record<string, Handler>>;
  /** One after the other, per subshell. */
  readonly queued: Readonly<Record<string, Handler>>;
  /** What a queued request gets that waited behind a failed one. */
  readonly aborted: (request: Request) => Content;
}

interface Lane {
  readonly waiting: Request[];
  running: Request | null;
  /** How many requests ever came. */
  arrived: number;
}

/**
 * Servers and front ends take the kernel for busy by the latest status, except by one whose parent is of a type that they do not
 * track. The status of everything but cells names such a parent (same id, other type): neither a completion nor a comm message
 * makes the dot blink, between cells or during one. Futures and `nbclient` go by the id alone.
 */
const UNTRACKED = "kernel_info_request";

/** Messages in, messages out: signatures, the table of handlers, busy and idle around each request. */
export class Dispatcher {
  private readonly session = randomUUID();
  private readonly username = safeUsername();
  private readonly wire: Wire;
  private readonly lanes = new Map<string, Lane>([["", newLane()]]);
  private rejected = 0;
  private announced = false;

  constructor(
    private readonly sockets: Sockets,
    key: string,
    private readonly table: HandlerTable,
  ) {
    this.wire = new Wire(key);
  }

  listen(): void {
    this.sockets.listen({
      message: (channel, frames) => this.receive(channel, frames),
      subscribed: (topic) => {
        this.publish(
          { type: "iopub_welcome", parent: null, content: { subscription: Buffer.from(topic).toString() } },
          topic,
        );
        this.announce();
      },
    });
  }

  /** Once, to the first subscriber: what is published before anybody listens is lost, and JupyterLab waits for it after a restart. */
  private announce(): void {
    if (this.announced) return;
    this.announced = true;
    this.status("starting", null);
  }

  publish(message: Outgoing, topic?: Uint8Array): void {
    const identities = [topic ?? Buffer.from(`kernel.${this.session}.${message.type}`)];
    this.sockets.send("iopub", this.encode(identities, message));
  }

  /** To one front end: a reply, or a question on stdin. */
  send(channel: RequestChannel, request: Request, type: string, content: Content): void {
    this.sockets.send(channel, this.encode(request.identities, { type, parent: request.header, content }));
  }

  openSubshell(): string {
    const id = randomUUID();
    this.lanes.set(id, newLane());
    return id;
  }

  closeSubshell(id: string): boolean {
    return id !== "" && this.lanes.delete(id);
  }

  get subshells(): string[] {
    return [...this.lanes.keys()].filter((id) => id !== "");
  }

  private receive(channel: RequestChannel, frames: Frames): void {
    let request: Request;
    try {
      request = this.wire.decode(frames);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      process.stderr.write(`${error.message} Dropped on ${channel}; ${++this.rejected} so far.\n`);
      return;
    }
    const type = request.header.msg_type;
    const queued = own(this.table.queued, type);
    if (queued !== undefined && channel === "shell") return this.enqueue(request, queued);
    const handler = own(this.table.immediate, type);
    if (handler === undefined) process.stderr.write(`Nobody answers ${type} on ${channel}.\n`);
    void this.handle(channel, request, handler ?? (() => ({ reply: null })));
  }

  private enqueue(request: Request, handler: Handler): void {
    const id = request.header.subshell_id ?? "";
    const lane = this.lanes.get(id);
    if (lane === undefined) return void this.handle("shell", request, () => this.noSubshell(id));
    lane.waiting.push(request);
    lane.arrived += 1;
    if (lane.running === null) void this.drain(lane, handler);
  }

  private async drain(lane: Lane, handler: Handler): Promise<void> {
    for (let request = lane.waiting.shift(); request !== undefined; request = lane.waiting.shift()) {
      lane.running = request;
      const { abortWaiting } = await this.handle("shell", request, handler);
      if (abortWaiting === true) await this.abort(lane);
    }
    lane.running = null;
  }

  /** Gives up what waits behind a failed cell: all that came until a whole turn of the event loop brought nothing more. */
  private async abort(lane: Lane): Promise<void> {
    for (let seen = -1; seen !== lane.arrived;) {
      seen = lane.arrived;
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const request of lane.waiting.splice(0)) {
      await this.handle("shell", request, () => ({ reply: this.table.aborted(request) }));
    }
  }

  private noSubshell(id: string): Handled {
    const evalue = `[subshell] no subshell "${id}". Open: ${this.subshells.join(", ") || "none"}. Send create_subshell_request on control first.`;
    const reply = { status: "error", ename: "OptionError", evalue, traceback: [evalue] };
    return { reply: { ...reply, execution_count: 0, payload: [], user_expressions: {} } };
  }

  private async handle(channel: RequestChannel, request: Request, handler: Handler): Promise<Handled> {
    const isAnnounced = channel !== "stdin";
    const parent = this.isCell(request) ? request.header : { ...request.header, msg_type: UNTRACKED };
    if (isAnnounced) this.status("busy", parent);
    const handled = await this.answered(request, channel, handler);
    const replyType = request.header.msg_type.replace(/_request$/, "_reply");
    if (handled.reply !== null) this.send(channel, request, replyType, handled.reply);
    if (isAnnounced) this.status("idle", parent);
    if (isAnnounced) this.tellState(request);
    handled.after?.();
    return handled;
  }

  private isCell({ header }: Request): boolean {
    return own(this.table.queued, header.msg_type) !== undefined;
  }

  /**
   * The state after an answer: busy again where a cell runs, for front ends that track every type. Whoever asks for
   * `kernel_info` has just connected, and hears of the idle state too.
   */
  private tellState(answered: Request): void {
    for (const { running } of this.lanes.values()) {
      if (running !== null && running !== answered) return this.status("busy", running.header);
    }
    if (answered.header.msg_type === UNTRACKED) this.status("idle", null);
  }

  private async answered(request: Request, channel: RequestChannel, handler: Handler): Promise<Handled> {
    try {
      return await handler(request, channel);
    } catch (error) {
      const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
      process.stderr.write(`${request.header.msg_type} failed: ${stack ?? message}\n`);
      const reply = { status: "error", ename: name, evalue: message, traceback: [] };
      return { reply: request.header.msg_type.endsWith("_request") ? reply : null };
    }
  }

  private status(state: "starting" | "busy" | "idle", parent: Header | null): void {
    this.publish({ type: "status", parent, content: { execution_state: state } });
  }

  private encode(
    identities: readonly Uint8Array[],
    { type, parent, content, metadata, buffers }: Outgoing,
  ): Uint8Array[] {
    const header: Header = {
      msg_id: randomUUID(),
      session: this.session,
      username: this.username,
      date: new Date().toISOString(),
      msg_type: type,
      version: PROTOCOL_VERSION,
    };
    return this.wire.encode(identities, header, parent, metadata ?? {}, content, buffers);
  }
}

function newLane(): Lane {
  return { waiting: [], running: null, arrived: 0 };
}

/** A type comes from outside: "constructor" is none of ours. */
function own<Value>(table: Readonly<Record<string, Value>>, type: string): Value | undefined {
  return Object.hasOwn(table, type) ? table[type] : undefined;
}

function safeUsername(): string {
  try {
    return userInfo().username;
  } catch {
    return "kernel"; // a user id without an entry, as in many containers
  }
}
