import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { isMainThread, workerData, type MessagePort } from "node:worker_threads";
import type { Content } from "../jupyter/protocol.js";
import { Panels } from "../bridges/panels.js";
import { clearEngineInterrupt, engineLoaded, interruptEngine } from "./supervisor-engine.js";
import { encodeFrame, FrameReader } from "./frames.js";
import { Terminator } from "./interrupt.js";
import { runsInterruptibly } from "./interruptible.js";
import {
  outputMarker,
  type Envelope,
  type FromExecutor,
  type FromMain,
  type ToExecutor,
  type ToMain,
} from "./messages.js";
import { OutputRing, type Output } from "./ring.js";

/** File descriptors that the protocol process opens for the executor. */
const COMMANDS_FD = 3;
const FRAMES_FD = 4;
/** Printed text waits this long for more of its kind. */
const DRAIN_MS = 10;

export interface SupervisorData {
  readonly ring: SharedArrayBuffer;
  readonly interruptible: SharedArrayBuffer;
  readonly nonce: string;
  readonly port: MessagePort;
}

/**
 * The thread beside user code. It alone talks to the protocol process: it writes what the main thread hands over, answers
 * panels, interrupts, and ends the process when the protocol process is gone.
 */
class Supervisor {
  private readonly ring: OutputRing;
  private readonly port: MessagePort;
  private readonly terminator: Terminator;
  private readonly panels = new Panels((message, buffers) => this.send(message, buffers));
  private readonly targets = new Set<string>();
  private drainTimer: NodeJS.Timeout | null = null;
  private cpu = { at: performance.now(), usage: process.cpuUsage() };

  constructor(private readonly data: SupervisorData) {
    this.ring = new OutputRing(data.ring);
    this.port = data.port;
    this.terminator = new Terminator(() => this.toMain({ kind: "interrupt" }));
    const reader = new FrameReader<ToExecutor>(({ value, buffers }) => this.command(value, buffers));
    const commands = new Socket({ fd: COMMANDS_FD, readable: true, writable: false });
    commands.on("data", (chunk: Buffer) => reader.push(chunk));
    const orphaned = (): void => void process.kill(process.pid, "SIGKILL");
    commands.on("end", orphaned).on("error", orphaned);
    this.port.on("message", (envelope: Envelope<FromMain>) => this.fromMain(envelope));
  }

  private command(message: ToExecutor, buffers: readonly Uint8Array[]): void {
    switch (message.kind) {
      case "run":
        clearEngineInterrupt();
        this.panels.cellStarted(message.cell.run, message.cell.count);
        return this.toMain(message);
      case "interrupt":
        interruptEngine();
        this.terminator.start();
        this.toMain(message);
        if (runsInterruptibly(this.data.interruptible)) process.kill(process.pid, "SIGINT");
        return;
      case "usage":
        return this.usage(message.id);
      case "sync":
        return this.send(message);
      case "comm_open":
        return this.commOpen(message, buffers);
      case "comm_msg":
      case "comm_close":
        if (message.kind === "comm_close") this.panels.close(message.id);
        return this.toMain(message, buffers);
      case "input":
        return this.toMain(message);
    }
  }

  private commOpen(message: ToExecutor & { kind: "comm_open" }, buffers: readonly Uint8Array[]): void {
    if (this.panels.open(message.target, message.id, message.data)) return;
    if (this.targets.has(message.target)) return this.toMain(message, buffers);
    const data: Content = {
      message: `No comm target "${message.target}". Open: ${[...this.targets].join(", ") || "none"}.`,
    };
    this.send({ kind: "comm_close", id: message.id, data });
  }

  private fromMain({ value, buffers, outputBefore }: Envelope<FromMain>): void {
    if (outputBefore !== undefined) this.ring.read((output) => this.stream(output), outputBefore);
    switch (value.kind) {
      case "drain":
        if (value.urgent) this.drain();
        else this.drainTimer ??= setTimeout(() => this.drain(), DRAIN_MS);
        return;
      case "interrupt-seen":
        return this.terminator.seen();
      case "engine-loaded":
        return void engineLoaded();
      case "comm_target":
        if (value.open) this.targets.add(value.target);
        else this.targets.delete(value.target);
        return;
      case "event":
        return this.panels.event(value.name, value.data, buffers);
      case "done":
        this.panels.cellEnded(value.run);
        for (const fd of [1, 2]) writeAll(fd, Buffer.from(outputMarker(this.data.nonce, value.run)));
        return this.send(value, buffers);
      default:
        return this.send(value, buffers);
    }
  }

  private drain(): void {
    if (this.drainTimer !== null) clearTimeout(this.drainTimer);
    this.drainTimer = null;
    this.ring.read((output) => this.stream(output));
  }

  private stream({ run, name, text }: Output): void {
    this.send({ kind: "stream", run, name, text });
  }

  private usage(id: number): void {
    const at = performance.now();
    const { user, system } = process.cpuUsage(this.cpu.usage);
    const cpuPercent = (user + system) / 10 / Math.max(1, at - this.cpu.at);
    this.cpu = { at, usage: process.cpuUsage() };
    this.send({ kind: "usage", id, cpuPercent, resident: process.memoryUsage.rss() });
  }

  private toMain(value: ToMain, buffers: readonly Uint8Array[] = []): void {
    const envelope: Envelope<ToMain> = { value, buffers };
    this.port.postMessage(envelope);
  }

  private send(message: FromExecutor, buffers: readonly Uint8Array[] = []): void {
    for (const part of encodeFrame(message, buffers)) writeAll(FRAMES_FD, part);
  }
}

/** Blocks while the pipe is full: output that nobody reads must not pile up here. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}

if (!isMainThread) new Supervisor(workerData as SupervisorData);
