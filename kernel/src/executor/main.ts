import { Console } from "node:console";
import { writeSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { StreamName } from "../jupyter/protocol.js";
import { OutputBudget } from "./budget.js";
import { Cells } from "./cells.js";
import { Comms } from "./comms.js";
import { errorContent, installStackTraces, InterruptedError } from "./errors.js";
import { Globals } from "./globals.js";
import { Interruptible } from "./interruptible.js";
import { LibraryWatch } from "./library.js";
import type { Envelope, FromMain, ToMain } from "./messages.js";
import { Modules } from "./modules.js";
import { OutputRing } from "./ring.js";
import type { SupervisorData } from "./supervisor.js";
import { keepCellOfTimers } from "./timers.js";

/** How often `prompt` looks for its answer. */
const ANSWER_POLL_MS = 15;
/** At exit, how long output may take to reach the supervisor. */
const LAST_WORDS_MS = 2000;

const ring = new OutputRing();
const budget = new OutputBudget();
const { port1: port, port2 } = new MessageChannel();

const post = (value: FromMain, buffers: readonly Uint8Array[] = []): void => {
  if (value.kind === "done") write(value.run, "stderr", budget.summary(value.run));
  const envelope: Envelope<FromMain> = { value, buffers, outputBefore: ring.written };
  port.postMessage(envelope);
};
const wake = (urgent: boolean): void => {
  const envelope: Envelope<FromMain> = { value: { kind: "drain", urgent }, buffers: [] };
  port.postMessage(envelope);
};

const library = new LibraryWatch(post);
const interruptible = new Interruptible();
const cells = new Cells(new Modules((specifier) => library.imported(specifier)), interruptible, post);
const comms = new Comms(post);
const globals = new Globals(cells, post, comms, waitForAnswer);
/** What came while `prompt` blocked this thread, and is still to be handled. */
const deferred: Envelope<ToMain>[] = [];

function captureOutput(): void {
  for (const name of ["stdout", "stderr"] as const) {
    const decoder = new StringDecoder("utf8");
    const write = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
      const text =
        typeof chunk === "string"
          ? chunk
          : decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      print(name, text);
      const callback = typeof encoding === "function" ? encoding : done;
      if (typeof callback === "function") queueMicrotask(callback as () => void);
      return true;
    };
    process[name].write = write as typeof process.stdout.write;
  }
}

/** Node's own console reports to the inspector and guards each write: four times the cost of a line. */
function quickenConsole(): void {
  const { stdout, stderr } = process;
  const quick = new Console({ stdout, stderr, ignoreErrors: false, colorMode: false });
  for (const name of Object.keys(quick) as (keyof Console)[]) Object.assign(console, { [name]: quick[name] });
}

function print(name: StreamName, text: string): void {
  const run = cells.current?.cell.run ?? 0;
  const { text: kept, notice } = budget.take(run, text);
  write(run, name, kept);
  write(run, "stderr", notice);
}

function write(run: number, name: StreamName, text: string): void {
  ring.write(run, name, text, wake);
}

function startSupervisor(): void {
  const data: SupervisorData = {
    ring: ring.memory,
    interruptible: interruptible.memory,
    nonce: process.env["NIBBLE_LAB_NONCE"] ?? "",
    port: port2,
  };
  const worker = new Worker(new URL("./supervisor.js", import.meta.url), { workerData: data, transferList: [port2] });
  worker.on("error", (error) => {
    writeSync(2, `The supervisor thread failed: ${error.stack ?? error.message}\n`);
    process.kill(process.pid, "SIGKILL"); // nobody could hear this process any more
  });
  worker.unref();
}

/** Blocks this thread until the reader has answered. */
function waitForAnswer(id: number): string {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const envelope = (receiveMessageOnPort(port) as { message: Envelope<ToMain> } | undefined)?.message;
    if (envelope === undefined) {
      Atomics.wait(pause, 0, 0, ANSWER_POLL_MS);
      continue;
    }
    const { value } = envelope;
    if (value.kind === "input" && value.id === id) return value.value;
    deferred.push(envelope);
    setImmediate(receiveDeferred);
    if (value.kind === "interrupt") throw new InterruptedError();
  }
}

function receiveDeferred(): void {
  for (const envelope of deferred.splice(0)) receive(envelope);
}

function receive({ value, buffers }: Envelope<ToMain>): void {
  receiveDeferred();
  switch (value.kind) {
    case "run":
      return cells.start(value.cell);
    case "interrupt":
      cells.interrupt();
      return post({ kind: "interrupt-seen" });
    case "input":
      return globals.answer(value.id, value.value);
    case "comm_open":
    case "comm_msg":
    case "comm_close":
      return comms.receive(value, buffers);
  }
}

function reportLate(error: unknown): void {
  const tell = (): void => print("stderr", `${errorContent(error).traceback.join("\n")}\n`);
  const owner = cells.ownerOf(error);
  if (owner === null) tell();
  else cells.within(owner, tell);
}

installStackTraces();
captureOutput();
quickenConsole();
globals.install();
keepCellOfTimers(cells);
library.screen = globals;
interruptible.restore(); // SIGINT alone ends nothing
process.on("SIGTERM", () => process.exit(0)); // the kernel shuts down: exit handlers run, unless a cell computes
process.on("uncaughtException", reportLate);
process.on("unhandledRejection", reportLate);
process.on("exit", () => {
  wake(true);
  ring.waitUntilRead(LAST_WORDS_MS);
});
port.on("message", receive);
startSupervisor();
post({ kind: "ready" });
