import { Router, XPublisher } from "zeromq";
import { address, type Connection, type CurveKeys } from "./connection.js";

export type Frames = Uint8Array[];
export type RequestChannel = "shell" | "control" | "stdin";
const REQUEST_CHANNELS: readonly RequestChannel[] = ["shell", "control", "stdin"];

export interface SocketEvents {
  message(channel: RequestChannel, frames: Frames): void;
  /** A front end subscribed to iopub, to messages whose topic starts with this. */
  subscribed(topic: Uint8Array): void;
}

/** zeromq allows one send in flight per socket and throws on a second: each socket gets its own queue. */
class Writer {
  private queue: Frames[] = [];
  private running: Promise<void> | null = null;

  constructor(private readonly socket: { send(frames: Frames): Promise<void> }) {}

  send(frames: Frames): void {
    this.queue.push(frames);
    this.running ??= this.drain();
  }

  async flushed(): Promise<void> {
    await this.running;
  }

  private async drain(): Promise<void> {
    for (let batch = this.queue; batch.length > 0; batch = this.queue) {
      this.queue = [];
      for (const frames of batch) {
        try {
          await this.socket.send(frames);
        } catch (error) {
          // A peer that is gone must not keep what others wait for.
          process.stderr.write(`A message could not be sent: ${String(error)}\n`);
        }
      }
    }
    this.running = null;
  }
}

/** The five sockets of a kernel, bound where the connection file says. */
export class Sockets {
  private readonly options = { linger: 1000, sendHighWaterMark: 0, receiveHighWaterMark: 0 };
  private readonly routers = {
    shell: new Router(this.options),
    control: new Router(this.options),
    stdin: new Router(this.options),
  };
  private readonly iopub = new XPublisher(this.options);
  /** No `Reply`: that fails for good when a peer leaves between its beat and the answer. */
  private readonly heartbeat = new Router(this.options);
  private readonly writers = {
    shell: new Writer(this.routers.shell),
    control: new Writer(this.routers.control),
    stdin: new Writer(this.routers.stdin),
    iopub: new Writer(this.iopub),
    hb: new Writer(this.heartbeat),
  };

  async bind(connection: Connection): Promise<void> {
    this.iopub.verbosity = "allSubs"; // else only the first subscriber of a topic is welcomed
    if (connection.curve !== null) this.encrypt(connection.curve);
    await Promise.all([
      ...REQUEST_CHANNELS.map((channel) => this.routers[channel].bind(address(connection, channel))),
      this.iopub.bind(address(connection, "iopub")),
      this.heartbeat.bind(address(connection, "hb")),
    ]);
  }

  /** Only who knows the public key can connect from here on. */
  private encrypt({ publicKey, secretKey }: CurveKeys): void {
    for (const socket of [...Object.values(this.routers), this.iopub, this.heartbeat]) {
      socket.curveServer = true;
      socket.curvePublicKey = publicKey;
      socket.curveSecretKey = secretKey;
    }
  }

  /** Starts to read; returns at once. */
  listen(events: SocketEvents): void {
    for (const channel of REQUEST_CHANNELS) {
      void receive(this.routers[channel], (frames) => events.message(channel, frames));
    }
    void receive(this.iopub, ([frame]) => {
      if (frame !== undefined && frame[0] === 1) events.subscribed(frame.subarray(1));
    });
    void receive(this.heartbeat, (frames) => this.writers.hb.send(frames));
  }

  send(channel: RequestChannel | "iopub", frames: Frames): void {
    this.writers[channel].send(frames);
  }

  /** Resolves when everything handed over so far has left. */
  async flushed(): Promise<void> {
    await Promise.all(Object.values(this.writers).map((writer) => writer.flushed()));
  }

  close(): void {
    for (const channel of REQUEST_CHANNELS) this.routers[channel].close();
    this.iopub.close();
    this.heartbeat.close();
  }
}

async function receive(socket: AsyncIterable<Buffer[]>, use: (frames: Frames) => void): Promise<void> {
  for await (const frames of socket) {
    try {
      use(frames);
    } catch (error) {
      // One message must not end the reading of all that follow.
      process.stderr.write(`A message was dropped: ${error instanceof Error ? error.stack : String(error)}\n`);
    }
  }
}
