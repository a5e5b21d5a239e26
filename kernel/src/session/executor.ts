import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { StringDecoder } from "node:string_decoder";
import { encodeFrame, FrameReader } from "../executor/frames.js";
import { outputMarker, type FromExecutor, type ToExecutor } from "../executor/messages.js";
import type { StreamName } from "../jupyter/protocol.js";

const MAIN = fileURLToPath(new URL("../executor/main.js", import.meta.url));
/** Ending JavaScript from outside needs the first; looking modules up from the notebook's folder needs the second. */
const NODE_OPTIONS = [
  "--no-force-async-hooks-checks",
  "--experimental-import-meta-resolve",
  "--no-warnings=ExperimentalWarning",
];
/** After the process ended, pipes that its children hold open are waited for no longer than this. */
const PIPES_MS = 2000;
/** How long exit handlers of user code may take. */
const FAREWELL_MS = 1000;
const LAST_WORDS = 4000; // characters of stderr kept for the report of a crash

export interface ExecutorEvents {
  message(message: FromExecutor, buffers: readonly Uint8Array[]): void;
  /** Text that native code wrote straight to its file descriptors. */
  nativeOutput(name: StreamName, text: string): void;
  died(report: { how: string; lastWords: string }): void;
}

/** The process that runs user code; it may crash, and then another takes its place. */
export class Executor {
  private readonly child: ChildProcess;
  private readonly outputs: Readonly<Record<StreamName, NativeOutput>>;
  private ended = false;

  constructor(private readonly events: ExecutorEvents) {
    const nonce = randomUUID();
    this.child = spawn(process.execPath, [...NODE_OPTIONS, MAIN], {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      env: { ...process.env, NIBBLE_LAB_NONCE: nonce },
    });
    this.outputs = {
      stdout: new NativeOutput(this.child.stdout!, nonce, (text) => this.events.nativeOutput("stdout", text)),
      stderr: new NativeOutput(this.child.stderr!, nonce, (text) => this.events.nativeOutput("stderr", text)),
    };
    const reader = new FrameReader<FromExecutor>(({ value, buffers }) => this.receive(value, buffers));
    (this.child.stdio[4] as Readable).on("data", (chunk: Buffer) => reader.push(chunk));
    (this.child.stdio[3] as Writable).on("error", () => undefined); // its end is reported by the process itself
    this.child.on("error", (error) => this.end(`could not be started: ${error.message}`));
    this.child.on("close", (code, signal) => this.end(this.howItEnded(code, signal)));
    this.child.on("exit", (code, signal) => {
      setTimeout(() => this.end(this.howItEnded(code, signal)), PIPES_MS).unref();
    });
  }

  send(message: ToExecutor, buffers: readonly Uint8Array[] = []): void {
    const pipe = this.child.stdio[3] as Writable;
    for (const part of encodeFrame(message, buffers)) pipe.write(part);
  }

  /** Ends the process, and lets it run its exit handlers if it is not busy; nothing of it is reported. */
  async dispose(): Promise<void> {
    const isGone = this.ended || this.child.exitCode !== null || this.child.signalCode !== null;
    this.ended = true;
    if (isGone) return;
    const exited = new Promise((resolve) => this.child.once("exit", resolve));
    const limit = setTimeout(() => this.child.kill("SIGKILL"), FAREWELL_MS);
    this.child.kill("SIGTERM");
    await exited;
    clearTimeout(limit);
  }

  /** Ends the process; it is reported as dead. */
  kill(): void {
    this.child.kill("SIGKILL");
  }

  private receive(message: FromExecutor, buffers: readonly Uint8Array[]): void {
    if (message.kind !== "done") return this.events.message(message, buffers);
    const { stdout, stderr } = this.outputs;
    void Promise.all([stdout.until(message.run), stderr.until(message.run)]).then(() =>
      this.events.message(message, buffers),
    );
  }

  private howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
    if (signal === "SIGABRT" && this.outputs.stderr.lastWords.includes("heap out of memory")) {
      return "ran out of memory: JavaScript's heap was full (NODE_OPTIONS=--max-old-space-size=MEGABYTES makes it larger)";
    }
    if (signal === "SIGKILL") return "was ended by SIGKILL, as the system does when the machine runs out of memory";
    if (signal === "SIGABRT") return "was aborted (SIGABRT)";
    return signal === null ? `exited with code ${code ?? "unknown"}` : `was ended by ${signal}`;
  }

  private end(how: string): void {
    if (this.ended) return;
    this.ended = true;
    this.events.died({ how, lastWords: this.outputs.stderr.lastWords });
  }
}

/** One raw pipe of the executor: text goes on, markers between cells stay here. */
class NativeOutput {
  lastWords = "";
  private readonly decoder = new StringDecoder("utf8");
  private readonly waiting = new Map<number, () => void>();
  private readonly reached = new Set<number>();
  private readonly marker: RegExp;
  private readonly opening: string;
  private rest = "";

  constructor(
    pipe: Readable,
    nonce: string,
    private readonly use: (text: string) => void,
  ) {
    this.opening = outputMarker(nonce, 0).split(":")[0]!;
    this.marker = new RegExp(`${this.opening}:(\\d+)\\u0000`);
    pipe.on("data", (chunk: Buffer) => this.push(this.decoder.write(chunk)));
    pipe.on("end", () => this.emit(this.rest));
  }

  until(run: number): Promise<void> {
    if (this.reached.delete(run)) return Promise.resolve();
    return new Promise((resolve) => this.waiting.set(run, resolve));
  }

  private push(text: string): void {
    let rest = this.rest + text;
    for (let match = this.marker.exec(rest); match !== null; match = this.marker.exec(rest)) {
      this.emit(rest.slice(0, match.index));
      this.reach(Number(match[1]));
      rest = rest.slice(match.index + match[0].length);
    }
    const cut = rest.lastIndexOf("\u0000"); // perhaps the beginning of a marker
    const isCut = cut >= 0 && rest.length - cut < this.opening.length + 20;
    this.rest = isCut ? rest.slice(cut) : "";
    this.emit(isCut ? rest.slice(0, cut) : rest);
  }

  private reach(run: number): void {
    const resolve = this.waiting.get(run);
    if (resolve === undefined) this.reached.add(run);
    else resolve();
    this.waiting.delete(run);
  }

  private emit(text: string): void {
    if (text === "") return;
    this.lastWords = (this.lastWords + text).slice(-LAST_WORDS);
    this.use(text);
  }
}
