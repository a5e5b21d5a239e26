import { spawn, type ChildProcess } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Dealer, Request as HeartbeatSocket, Subscriber } from "zeromq";

const MAIN = fileURLToPath(import.meta.resolve("@nibble-lab/kernel"));
const DELIMITER = "<IDS|MSG>";
const KEY = "a key for tests";

export interface Message {
  readonly type: string;
  readonly header: Record<string, string>;
  readonly parent: Record<string, string>;
  readonly content: Record<string, unknown>;
  readonly metadata: Record<string, unknown>;
  readonly buffers: readonly Buffer[];
}

export interface Executed {
  readonly reply: Message;
  /** Everything on iopub from busy to idle, both included. */
  readonly published: readonly Message[];
}

export type RequestChannel = "shell" | "control" | "stdin";

export interface StartOptions {
  readonly cwd?: string;
  /** Added to the kernel's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Added to the connection file. */
  readonly connection?: Readonly<Record<string, string>>;
  /** How the kernel of somebody else is started; it may not welcome subscribers. */
  readonly command?: (connectionFile: string) => readonly string[];
  /** Before the sockets connect: a key of CurveZMQ's server, and of ours. */
  readonly curve?: { readonly serverKey: string; readonly publicKey: string; readonly secretKey: string };
  /** Also gets what the kernel writes to its own stderr. */
  readonly log?: (text: string) => void;
}

/** A front end on the loopback interface: it starts the built kernel and speaks the protocol with its own code. */
export class Client {
  readonly iopub: Message[] = [];
  private readonly session = randomUUID();
  private readonly waiting = new Set<{ matches: (message: Message) => boolean; resolve: (message: Message) => void }>();
  private readonly replies: Message[] = [];
  private readonly questions = new Set<Message>();
  private closed = false;

  private constructor(
    readonly process: ChildProcess,
    private readonly folder: string,
    readonly connectionFile: string,
    private readonly sockets: ReturnType<typeof openSockets>,
  ) {
    for (const channel of ["shell", "control", "stdin", "iopub"] as const) void this.receive(channel);
  }

  static async start(options: StartOptions = {}): Promise<Client> {
    const folder = mkdtempSync(join(tmpdir(), "nibble-kernel-"));
    const [shell, control, stdin, iopub, heartbeat] = (await freePorts(5)) as [number, number, number, number, number];
    const connection = {
      ...{ transport: "tcp", ip: "127.0.0.1", key: KEY, signature_scheme: "hmac-sha256" },
      ...{ shell_port: shell, control_port: control, stdin_port: stdin, iopub_port: iopub, hb_port: heartbeat },
      ...options.connection,
    };
    const file = join(folder, "connection.json");
    writeFileSync(file, JSON.stringify(connection));
    const [program, ...args] = options.command?.(file) ?? [process.execPath, MAIN, file];
    const child = spawn(program!, args, {
      stdio: ["ignore", options.command ? "ignore" : "inherit", "pipe"],
      cwd: options.cwd ?? folder,
      env: { ...process.env, JUPYTER_DATA_DIR: folder, ...options.env },
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => options.log?.(text));
    const sockets = openSockets(options.curve);
    const { transport, ip } = connection;
    const address = (port: number) => `${transport}://${ip}${transport === "ipc" ? "-" : ":"}${port}`;
    sockets.shell.connect(address(shell));
    sockets.control.connect(address(control));
    sockets.stdin.connect(address(stdin));
    sockets.iopub.connect(address(iopub));
    sockets.heartbeat.connect(address(heartbeat));
    const client = new Client(child, folder, file, sockets);
    const welcomed = client.published((message) => message.type === "iopub_welcome");
    sockets.iopub.subscribe("");
    if (options.command === undefined) await welcomed;
    return client;
  }

  /** A kernel that has run a cell: its compiler is loaded. Types are not checked, so that a test may run what they forbid. */
  static async warm(options: StartOptions = {}): Promise<Client> {
    const client = await Client.start(options);
    await client.execute("%types off");
    await client.execute("0");
    return client;
  }

  /** A kernel that has read the types, and checks them. */
  static async typed(options: { cwd?: string } = {}): Promise<Client> {
    const client = await Client.start(options);
    await client.request("shell", "inspect_request", { code: "Math", cursor_pos: 2, detail_level: 0 });
    return client;
  }

  /** Sends without waiting; the result is the message's id. */
  async send(
    channel: RequestChannel,
    type: string,
    content: object,
    extra: { buffers?: Uint8Array[]; subshell?: string; parent?: Message; key?: string } = {},
  ): Promise<string> {
    const header = {
      ...{ msg_id: randomUUID(), session: this.session, username: "test", date: new Date().toISOString() },
      ...{ msg_type: type, version: "5.5" },
      ...(extra.subshell === undefined ? {} : { subshell_id: extra.subshell }),
    };
    const parts = [header, extra.parent?.header ?? {}, {}, content].map((part) => Buffer.from(JSON.stringify(part)));
    const hmac = createHmac("sha256", extra.key ?? KEY);
    for (const part of parts) hmac.update(part);
    await this.sockets[channel].send([DELIMITER, hmac.digest("hex"), ...parts, ...(extra.buffers ?? [])]);
    return header.msg_id;
  }

  /** Sends these frames and nothing else. */
  async sendFrames(channel: RequestChannel, frames: readonly (string | Uint8Array)[]): Promise<void> {
    await this.sockets[channel].send([...frames]);
  }

  async request(
    channel: RequestChannel,
    type: string,
    content: object = {},
    extra: { subshell?: string } = {},
  ): Promise<Message> {
    const id = await this.send(channel, type, content, extra);
    return this.reply(id);
  }

  reply(id: string): Promise<Message> {
    const isReply = (message: Message) => message.parent["msg_id"] === id && message.type.endsWith("_reply");
    return this.next(this.replies, isReply);
  }

  /** The next or an earlier message on iopub that fits. */
  published(matches: (message: Message) => boolean): Promise<Message> {
    return this.next(this.iopub, matches);
  }

  /** The next question on stdin that was not asked for yet. */
  async question(): Promise<Message> {
    const isNew = (message: Message) => message.type === "input_request" && !this.questions.has(message);
    const question = await this.next(this.replies, isNew);
    this.questions.add(question);
    return question;
  }

  async start(code: string, options: object = {}, subshell?: string): Promise<string> {
    const content = {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
      ...options,
    };
    return this.send("shell", "execute_request", content, subshell === undefined ? {} : { subshell });
  }

  async finished(id: string): Promise<Executed> {
    const isIdle = (message: Message) =>
      message.type === "status" && message.content["execution_state"] === "idle" && message.parent["msg_id"] === id;
    const [reply, idle] = await Promise.all([this.reply(id), this.published(isIdle)]);
    const until = this.iopub.indexOf(idle);
    return { reply, published: this.iopub.slice(0, until + 1).filter((message) => message.parent["msg_id"] === id) };
  }

  async execute(code: string, options: object = {}): Promise<Executed> {
    return this.finished(await this.start(code, options));
  }

  /** The text form of a cell's result. */
  async value(code: string): Promise<string> {
    const { reply, published } = await this.execute(code);
    if (reply.content["status"] !== "ok") throw new Error((reply.content["traceback"] as string[]).join("\n"));
    const result = published.find((message) => message.type === "execute_result");
    return result === undefined ? "" : (result.content["data"] as Record<string, string>)["text/plain"]!;
  }

  /** Sends raw bytes to the heartbeat; resolves with what comes back. */
  async heartbeat(bytes: string): Promise<string> {
    await this.sockets.heartbeat.send(bytes);
    const [answer] = await this.sockets.heartbeat.receive();
    return answer!.toString();
  }

  /** Ends a kernel that may not answer any more. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.stop();
  }

  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.process.once("exit", () => resolve()));
    if (this.process.exitCode === null && this.process.signalCode === null) {
      if (!this.process.killed) await this.send("control", "shutdown_request", { restart: false });
      await ended;
    }
    this.closed = true;
    for (const socket of Object.values(this.sockets)) socket.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private next(list: readonly Message[], matches: (message: Message) => boolean): Promise<Message> {
    const found = list.find(matches);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => this.waiting.add({ matches, resolve }));
  }

  private async receive(channel: RequestChannel | "iopub"): Promise<void> {
    try {
      for await (const frames of this.sockets[channel]) {
        const message = decode(frames as Buffer[]);
        (channel === "iopub" ? this.iopub : this.replies).push(message);
        for (const entry of this.waiting) {
          if (!entry.matches(message)) continue;
          this.waiting.delete(entry);
          entry.resolve(message);
        }
      }
    } catch (error) {
      if (!this.closed) throw error;
    }
  }
}

function openSockets(curve: StartOptions["curve"]) {
  const routingId = randomUUID();
  const keys = curve && {
    curveServerKey: curve.serverKey,
    curvePublicKey: curve.publicKey,
    curveSecretKey: curve.secretKey,
  };
  const options = { ...keys, reconnectInterval: 1, linger: 0 };
  return {
    shell: new Dealer({ routingId, ...options }),
    control: new Dealer({ routingId, ...options }),
    stdin: new Dealer({ routingId, ...options }), // the same as shell's: questions find their way by it
    iopub: new Subscriber({ ...options, receiveHighWaterMark: 0 }),
    heartbeat: new HeartbeatSocket(options),
  };
}

function decode(frames: readonly Buffer[]): Message {
  const at = frames.findIndex((frame) => frame.toString() === DELIMITER);
  const signed = frames.slice(at + 2, at + 6);
  const hmac = createHmac("sha256", KEY);
  for (const part of signed) hmac.update(part);
  if (frames[at + 1]!.toString() !== hmac.digest("hex")) throw new Error("The kernel signed a message wrongly.");
  const [header, parent, metadata, content] = signed.map((part) => JSON.parse(part.toString()) as never) as [
    never,
    never,
    never,
    never,
  ];
  return { type: header["msg_type"], header, parent, metadata, content, buffers: frames.slice(at + 6) };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Text of one stream in what a cell published. */
export function streamText(published: readonly Message[], name = "stdout"): string {
  return published
    .filter((message) => message.type === "stream" && message.content["name"] === name)
    .map((message) => message.content["text"] as string)
    .join("");
}

export function errorOf({ published }: Executed): { ename: string; evalue: string; traceback: string[] } {
  return published.find((message) => message.type === "error")!.content as {
    ename: string;
    evalue: string;
    traceback: string[];
  };
}
