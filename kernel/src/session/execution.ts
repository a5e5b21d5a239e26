import { OutputBudget } from "../executor/budget.js";
import { sourceFrame } from "../executor/errors.js";
import type { CommMessage, CompiledCell, FromExecutor, RunOutcome } from "../executor/messages.js";
import { lineStarts, positionAt } from "../executor/sourcemap.js";
import type { CommRegistry } from "../jupyter/comms.js";
import type { Handled } from "../jupyter/dispatcher.js";
import {
  flagField,
  recordField,
  textField,
  type Content,
  type Outgoing,
  type Request,
  type StreamName,
} from "../jupyter/protocol.js";
import type { CompileProblem, Compiler } from "./compiler.js";
import type { Declared } from "./declarations.js";
import { Executor } from "./executor.js";
import type { History } from "./history.js";
import { readCell, type CellKind } from "./magics.js";
import { executeReply, failure, Runs, type ActiveRun } from "./runs.js";
import type { TypeCheck } from "./type-check.js";

/** A second interrupt counts as "it is stuck" when the first had this long to work. */
const STUCK_MS = 800;

export interface ExecutionHost {
  publish(message: Outgoing): void;
  askInput(request: Request, content: Content): void;
  /** A cell runs: what it declares is there for completion from now on. */
  cellStarted(count: number, source: string, declared: readonly Declared[]): void;
  executorLost(): void;
}

/** Runs cells in the executor and gives everything that they produce its place on iopub. */
export class Execution {
  private count = 0;
  private readonly runs = new Runs();
  private executor: Executor;
  private readonly syncs = new Map<number, () => void>();
  private readonly usages = new Map<number, (usage: { cpuPercent: number; resident: number }) => void>();
  private serial = 0;
  private inputId: number | null = null;
  /** A second interrupt found the cell stuck: the process is being ended for that. */
  private isEnding = false;
  private readonly nativeBudget = new OutputBudget();

  constructor(
    private readonly host: ExecutionHost,
    private readonly compiler: Compiler,
    private readonly comms: CommRegistry,
    private readonly history: History,
    private readonly types: TypeCheck,
  ) {
    this.executor = this.startExecutor();
  }

  readonly execute = async (request: Request): Promise<Handled> => {
    const { content } = request;
    const source = textField(content, "code");
    const silent = flagField(content, "silent", false);
    const stored = flagField(content, "store_history", !silent) && !silent;
    if (stored) this.count += 1;
    const count = this.count;
    if (stored) this.history.add(count, source);
    if (!silent) this.publish(request, "execute_input", { code: source, execution_count: count });
    const outcome = await this.outcome(request, source, count, silent);
    if (outcome.status === "ok" && outcome.result !== null && !silent) {
      const { data, metadata } = outcome.result;
      this.publish(request, "execute_result", { execution_count: count, data, metadata });
      if (stored && typeof data["text/plain"] === "string") this.history.setOutput(count, data["text/plain"]);
    } else if (outcome.status === "error" && !silent) {
      const { ename, evalue, traceback } = outcome;
      this.publish(request, "error", { ename, evalue, traceback });
    }
    const abortWaiting = outcome.status === "error" && flagField(content, "stop_on_error", true);
    return { reply: executeReply(outcome, count), abortWaiting };
  };

  readonly aborted = (): Content => ({
    status: "aborted",
    execution_count: this.count,
    payload: [],
    user_expressions: {},
  });

  /** First: end what runs, keep what is defined. Again while it is stuck: a new executor. */
  interrupt(): void {
    const stuck = this.runs
      .all()
      .find((run) => run.sent && run.interruptedAt !== null && Date.now() - run.interruptedAt > STUCK_MS);
    if (stuck !== undefined) {
      this.isEnding = true;
      return this.executor.kill();
    }
    for (const run of this.runs.all()) run.interruptedAt ??= Date.now();
    this.executor.send({ kind: "interrupt" });
  }

  answerInput(value: string): void {
    if (this.inputId !== null) this.executor.send({ kind: "input", id: this.inputId, value });
    this.inputId = null;
  }

  /** Resolves when the supervisor has dealt with the message: what it answers at once is on its way before. */
  comm(message: CommMessage, buffers: readonly Uint8Array[]): Promise<void> {
    this.executor.send(message, buffers);
    const id = ++this.serial;
    this.executor.send({ kind: "sync", id });
    return new Promise((resolve) => this.syncs.set(id, resolve));
  }

  usage(): Promise<{ cpuPercent: number; resident: number }> {
    const id = ++this.serial;
    this.executor.send({ kind: "usage", id });
    return new Promise((resolve) => this.usages.set(id, resolve));
  }

  dispose(): Promise<void> {
    return this.executor.dispose();
  }

  private async outcome(request: Request, source: string, count: number, silent: boolean): Promise<RunOutcome> {
    if (source.trim() === "" && Object.keys(recordField(request.content, "user_expressions")).length === 0) {
      return { status: "ok", result: null, expressions: {} };
    }
    const cell = readCell(source);
    switch (cell.kind) {
      case "problem":
        return failure("UnsupportedError", cell.problem);
      case "page":
        return page(cell.page);
      case "types":
        return page(this.types.set(cell.mode));
      case "reset":
        void this.executor.dispose();
        this.renewExecutor();
        return page("Every variable, import and model is forgotten.");
      case "code":
        return this.run(request, cell, count, silent);
    }
  }

  private async run(request: Request, cell: CodeCell, count: number, silent: boolean): Promise<RunOutcome> {
    const { active, outcome } = this.runs.start(request, count);
    const since = performance.now();
    const problem = await this.compileAndSend(active, cell, silent);
    if (problem !== null) active.finish(problem);
    const ended = await outcome;
    if (cell.timed) this.stream(active.run, "stdout", `Wall time: ${duration(performance.now() - since)}\n`);
    return ended;
  }

  private async compileAndSend(active: ActiveRun, cell: CodeCell, silent: boolean): Promise<RunOutcome | null> {
    const { run, count, request } = active;
    const { source } = cell;
    if (cell.language === "ts" && !silent) {
      const problem = await this.types.before(source, count, (text) => this.stream(run, "stderr", text));
      if (problem !== null) return problem;
    }
    const compilation = await this.compiler.compile(source, cell.language);
    if (!compilation.ok) return compileError(compilation.problem, source, count);
    const { compiled, declared } = compilation;
    const expressions = await this.compileExpressions(recordField(request.content, "user_expressions"));
    if (active.interruptedAt !== null) return failure("Interrupted", "The cell was interrupted before it ran.");
    const allowStdin = flagField(request.content, "allow_stdin", true);
    this.executor.send({ kind: "run", cell: { run, count, source, compiled, expressions, silent, allowStdin } });
    active.sent = true;
    if (!silent) this.host.cellStarted(count, source, declared);
    return null;
  }

  private async compileExpressions(asked: Content): Promise<Record<string, CompiledCell>> {
    const compiled: Record<string, CompiledCell> = {};
    for (const [name, source] of Object.entries(asked)) {
      const compilation = await this.compiler.rewriteExpression(String(source));
      // What does not parse fails when it is run, in its own place of the reply.
      const usable = compilation.ok
        ? compilation
        : await this.compiler.rewriteExpression(
            `throw new SyntaxError(${JSON.stringify(compilation.problem.message)})`,
          );
      if (usable.ok) compiled[name] = usable.compiled;
    }
    return compiled;
  }

  private startExecutor(): Executor {
    return new Executor({
      message: (message, buffers) => this.receive(message, buffers),
      nativeOutput: (name, text) => this.nativeOutput(this.runs.latest?.run ?? 0, name, text),
      died: (report) => this.replaceExecutor(report),
    });
  }

  private receive(message: FromExecutor, buffers: readonly Uint8Array[]): void {
    switch (message.kind) {
      case "ready":
        return;
      case "stream":
        return this.stream(message.run, message.name, message.text);
      case "display": {
        const type = message.update ? "update_display_data" : "display_data";
        return this.host.publish({ type, parent: this.runs.parentOf(message.run), content: { ...message.content } });
      }
      case "clear":
        return this.host.publish({
          type: "clear_output",
          parent: this.runs.parentOf(message.run),
          content: { wait: message.wait },
        });
      case "input":
        return this.ask(message);
      case "done":
        if (this.nativeBudget.summary(message.run) !== "") {
          this.stream(message.run, "stderr", this.nativeBudget.summary(message.run));
        }
        return this.runs.get(message.run)?.finish(message.outcome);
      case "comm_open":
      case "comm_msg":
      case "comm_close":
        return this.fromComm(message, buffers);
      case "sync":
        this.syncs.get(message.id)?.();
        return void this.syncs.delete(message.id);
      case "usage":
        this.usages.get(message.id)?.(message);
        return void this.usages.delete(message.id);
    }
  }

  private fromComm(message: CommMessage, buffers: readonly Uint8Array[]): void {
    const { kind, id, data } = message;
    if (kind === "comm_open") this.comms.opened(id, message.target, this.runs.latestParent);
    const parent = this.comms.parentOf(id);
    const content = kind === "comm_open" ? { comm_id: id, target_name: message.target, data } : { comm_id: id, data };
    this.host.publish({ type: kind, parent, content, buffers });
    if (kind === "comm_close") this.comms.closed(id);
  }

  private ask({ run, id, prompt, password }: Extract<FromExecutor, { kind: "input" }>): void {
    const active = this.runs.get(run);
    if (active === undefined) return;
    this.inputId = id;
    this.host.askInput(active.request, { prompt, password });
  }

  private nativeOutput(run: number, name: StreamName, text: string): void {
    const { text: kept, notice } = this.nativeBudget.take(run, text);
    if (kept !== "") this.stream(run, name, kept);
    if (notice !== "") this.stream(run, "stderr", notice);
  }

  private stream(run: number, name: StreamName, text: string): void {
    this.host.publish({ type: "stream", parent: this.runs.parentOf(run), content: { name, text } });
  }

  /** User code took its process down, or a second interrupt did: the cell says so, and a fresh executor waits. */
  private replaceExecutor({ how, lastWords }: { how: string; lastWords: string }): void {
    const runs = this.runs.all();
    const wasStuck = this.isEnding;
    this.renewExecutor();
    const lost = "All variables, imports and models are lost; a fresh one is ready. Run the cells above again.";
    const outcome = wasStuck
      ? failure("Interrupted", `The cell did not stop, so its process was ended. ${lost}`)
      : failure(
          "KernelProcessDied",
          `The process that runs cells ${how}. ${lost}`,
          lastWords === "" ? [] : ["Its last words:", lastWords],
        );
    if (runs.length === 0 && outcome.status === "error") this.stream(0, "stderr", `${outcome.traceback.join("\n")}\n`);
    for (const run of runs) run.finish(outcome);
  }

  /** Puts a fresh process in the place of one that has ended; whoever waited for the old one waits no longer. */
  private renewExecutor(): void {
    for (const { id, parent } of this.comms.takeAll()) {
      this.host.publish({ type: "comm_close", parent, content: { comm_id: id, data: {} } });
    }
    for (const waiting of this.syncs.values()) waiting();
    this.syncs.clear();
    for (const answer of this.usages.values()) answer({ cpuPercent: 0, resident: 0 });
    this.usages.clear();
    this.isEnding = false;
    this.host.executorLost();
    this.executor = this.startExecutor();
  }

  private publish(request: Request, type: string, content: Content): void {
    this.host.publish({ type, parent: request.header, content });
  }
}

type CodeCell = CellKind & { readonly kind: "code" };

function page(text: string): RunOutcome {
  return { status: "ok", result: null, expressions: {}, page: text };
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms.toPrecision(3)} ms` : `${(ms / 1000).toPrecision(4)} s`;
}

function compileError({ name, message, offset }: CompileProblem, source: string, count: number): RunOutcome {
  if (offset === null) return failure(name, message);
  const position = positionAt(lineStarts(source), Math.min(offset, source.length));
  const place = `  Cell[${count}].ts:${position.line}:${position.column}`;
  return failure(name, message, [place, ...sourceFrame(source.split("\n"), position)]);
}
