import { readFileSync } from "node:fs";
import { cpus, freemem, totalmem } from "node:os";
import { CommRegistry } from "../jupyter/comms.js";
import type { Connection } from "../jupyter/connection.js";
import { Dispatcher, type Handled, type HandlerTable } from "../jupyter/dispatcher.js";
import {
  codePointsToUnits,
  flagField,
  numberField,
  PROTOCOL_VERSION,
  recordField,
  textField,
  type Content,
  type Request,
} from "../jupyter/protocol.js";
import { Sockets } from "../jupyter/sockets.js";
import { Compiler } from "./compiler.js";
import { Execution } from "./execution.js";
import { History } from "./history.js";
import { Language } from "./language.js";
import { TypeCheck } from "./type-check.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const KERNEL_INFO: Content = {
  status: "ok",
  protocol_version: PROTOCOL_VERSION,
  implementation: "nibble-lab",
  implementation_version: version,
  language_info: {
    name: "typescript",
    version: "6.0",
    mimetype: "text/typescript",
    file_extension: ".ts",
    pygments_lexer: "typescript",
    codemirror_mode: { name: "javascript", typescript: true },
    nbconvert_exporter: "script",
  },
  banner: `Nibble Lab ${version}: TypeScript on Node ${process.versions.node}`,
  help_links: [
    { text: "TypeScript", url: "https://www.typescriptlang.org/docs/" },
    { text: "Node.js", url: "https://nodejs.org/docs/latest/api/" },
  ],
  debugger: false,
  supported_features: ["kernel subshells"],
};

/** One kernel, from the moment when its sockets are bound to its shutdown. */
export class Session {
  private readonly sockets = new Sockets();
  private readonly compiler = new Compiler();
  private readonly language = new Language(() => this.compiler.names());
  private readonly comms = new CommRegistry();
  private readonly history = new History();
  private readonly dispatcher: Dispatcher;
  private readonly execution: Execution;

  constructor(private readonly connection: Connection) {
    this.dispatcher = new Dispatcher(this.sockets, connection.key, this.handlers());
    this.execution = new Execution(
      {
        publish: (message) => this.dispatcher.publish(message),
        askInput: (request, content) => this.dispatcher.send("stdin", request, "input_request", content),
        cellStarted: (count, source, declared) => {
          this.language.addCell(count, source, declared);
          this.language.warm();
        },
        executorLost: () => {
          this.language.forget();
          void this.compiler.forget();
        },
      },
      this.compiler,
      this.comms,
      this.history,
      new TypeCheck(this.language),
    );
  }

  async start(): Promise<void> {
    await this.sockets.bind(this.connection);
    this.dispatcher.listen();
    this.compiler.warm();
  }

  /** Ends the executor, and resolves when the last message has left. */
  async stop(): Promise<void> {
    await this.execution.dispose();
    await this.sockets.flushed();
    this.sockets.close();
  }

  private handlers(): HandlerTable {
    const simple = (answer: (request: Request) => Content | Promise<Content>) => async (request: Request) => ({
      reply: await answer(request),
    });
    return {
      queued: {
        execute_request: (request) => this.execution.execute(request),
      },
      aborted: () => this.execution.aborted(),
      immediate: {
        kernel_info_request: simple(() => KERNEL_INFO),
        connect_request: simple(() => this.ports()),
        complete_request: simple(({ content }) =>
          this.language.complete(textField(content, "code"), numberField(content, "cursor_pos", 0)),
        ),
        inspect_request: simple((request) => this.inspect(request)),
        is_complete_request: simple((request) => this.isComplete(request)),
        history_request: simple(({ content }) => this.history.reply(content)),
        comm_info_request: simple(({ content }) => this.comms.info(textField(content, "target_name"))),
        comm_open: (request) => this.comm(request),
        comm_msg: (request) => this.comm(request),
        comm_close: (request) => this.comm(request),
        interrupt_request: simple(() => {
          this.execution.interrupt();
          return { status: "ok" };
        }),
        usage_request: simple(() => this.usage()),
        shutdown_request: (request) => this.shutdown(request),
        create_subshell_request: simple(() => ({ status: "ok", subshell_id: this.dispatcher.openSubshell() })),
        delete_subshell_request: simple(({ content }) => this.deleteSubshell(textField(content, "subshell_id"))),
        list_subshell_request: simple(() => ({ status: "ok", subshell_id: this.dispatcher.subshells })),
        input_reply: ({ content }) => {
          this.execution.answerInput(textField(content, "value"));
          return { reply: null };
        },
      },
    };
  }

  private ports(): Content {
    const named = Object.entries(this.connection.ports).map(([channel, port]) => [`${channel}_port`, port]);
    return { status: "ok", ...(Object.fromEntries(named) as Content) };
  }

  private async inspect({ content }: Request): Promise<Content> {
    const code = textField(content, "code");
    return this.language.inspect(
      code,
      codePointsToUnits(code, numberField(content, "cursor_pos", 0)),
      numberField(content, "detail_level", 0),
    );
  }

  private async isComplete({ content }: Request): Promise<Content> {
    const { status, indent } = await this.compiler.completeness(textField(content, "code"));
    return status === "incomplete" ? { status, indent } : { status };
  }

  private async comm(request: Request): Promise<Handled> {
    const kind = request.header.msg_type as "comm_open" | "comm_msg" | "comm_close";
    const id = textField(request.content, "comm_id");
    const data = recordField(request.content, "data");
    if (kind === "comm_open") {
      const target = textField(request.content, "target_name");
      this.comms.opened(id, target, request.header);
      await this.execution.comm({ kind, id, target, data }, request.buffers);
    } else {
      if (kind === "comm_close") this.comms.closed(id);
      await this.execution.comm({ kind, id, data }, request.buffers);
    }
    return { reply: null };
  }

  private deleteSubshell(id: string): Content {
    if (this.dispatcher.closeSubshell(id)) return { status: "ok" };
    const evalue = `[delete_subshell] no subshell "${id}". Open: ${this.dispatcher.subshells.join(", ") || "none"}.`;
    return { status: "error", ename: "OptionError", evalue, traceback: [] };
  }

  private async usage(): Promise<Content> {
    const { cpuPercent, resident } = await this.execution.usage();
    return {
      status: "ok",
      hostname: process.env["HOSTNAME"] ?? "",
      pid: process.pid,
      kernel_cpu: cpuPercent,
      kernel_memory: resident + process.memoryUsage.rss(),
      cpu_count: cpus().length,
      host_virtual_memory: { total: totalmem(), available: freemem(), used: totalmem() - freemem() },
    };
  }

  private shutdown(request: Request): Handled {
    const reply = { status: "ok", restart: flagField(request.content, "restart", false) };
    this.dispatcher.publish({ type: "shutdown_reply", parent: request.header, content: reply });
    return { reply, after: () => void this.stop().then(() => process.exit(0)) };
  }
}
