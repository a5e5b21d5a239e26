import { COMM_TARGET, decode, SCHEMA, type Message, type Open } from "@nibble-lab/messages";
import type { ISessionContext } from "@jupyterlab/apputils";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { JSONObject } from "@lumino/coreutils";
import type { IDisposable } from "@lumino/disposable";
import { Signal, type ISignal } from "@lumino/signaling";
import type { IKernelFeed, IReceived, ISource, LinkState } from "./tokens.js";

const OPEN: Open = { schemas: [SCHEMA], topics: ["memory", "pca"] };

/** A kernel that has handled our `comm_open` and stayed silent this long does not know the target. */
const ANSWER_MS = 5_000;

/** How long to wait before asking a kernel again that is busy starting over. */
const AGAIN_MS = 1_000;

/**
 * One kernel's comm: opens it from this side, decodes what arrives, and opens it again after a restart or a lost
 * connection.
 */
export class KernelLink implements IDisposable {
  constructor(private readonly kernel: Kernel.IKernelConnection) {
    kernel.statusChanged.connect(this.onStatus, this);
    kernel.connectionStatusChanged.connect(this.onConnection, this);
    kernel.disposed.connect(this.onKernelDisposed, this);
    void this.open();
  }

  get state(): LinkState {
    return this._state;
  }

  get stateChanged(): ISignal<this, LinkState> {
    return this._stateChanged;
  }

  get received(): ISignal<this, Omit<IReceived, "source">> {
    return this._received;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.close();
    Signal.clearData(this);
  }

  private async open(): Promise<void> {
    this.close();
    const attempt = ++this._attempt;
    if (!this.kernel.handleComms) {
      this.setState({ kind: "taken" });
      return;
    }
    this.setState({ kind: "connecting" });
    const info = await this.kernel.info;
    if (this.isStale(attempt)) {
      return;
    }
    // Asking a Python kernel would only put an error into its log.
    if (info.language_info.name !== "typescript") {
      this.setState({ kind: "foreign", kernel: info.implementation });
      return;
    }
    const comm = this.kernel.createComm(COMM_TARGET);
    this._comm = comm;
    comm.onMsg = (message) => this.onMessage(message, attempt);
    comm.onClose = () => this.onClose(attempt, info.implementation);
    const handled = comm.open(OPEN as unknown as JSONObject).done;
    await handled.catch(() => undefined);
    if (!this.isStale(attempt) && this._state.kind === "connecting") {
      this._patience = setTimeout(() => this.onClose(attempt, info.implementation), ANSWER_MS);
    }
  }

  private close(): void {
    clearTimeout(this._patience);
    const comm = this._comm;
    this._comm = null;
    if (comm && !comm.isDisposed && !this.kernel.isDisposed && this.kernel.connectionStatus === "connected") {
      comm.onClose = () => undefined;
      comm.close();
    }
  }

  private onMessage(message: KernelMessage.ICommMsgMsg, attempt: number): void {
    const decoded = decode(message.content.data);
    if (!decoded || this.isStale(attempt)) {
      return;
    }
    if (decoded.kind === "hello") {
      this.greet(decoded);
    } else if (decoded.kind === "refusal") {
      this.setState({ kind: "mismatch", message: decoded.message });
    }
    this._received.emit({ message: decoded, buffers: (message.buffers ?? []).map(tight) });
  }

  private greet(hello: Message & { kind: "hello" }): void {
    clearTimeout(this._patience);
    this._isOurs = true;
    if (OPEN.schemas.includes(hello.schema)) {
      this.setState({ kind: "connected", hello });
    } else {
      this.setState({
        kind: "mismatch",
        message: `schema ${hello.schema}; this panel reads ${OPEN.schemas.join(", ")}`,
      });
    }
  }

  private onClose(attempt: number, kernel: string): void {
    if (this.isStale(attempt)) {
      return;
    }
    if (this._state.kind === "connecting" && !this._isOurs) {
      this.setState({ kind: "foreign", kernel });
    } else if (this._state.kind === "connecting" || this._state.kind === "connected") {
      // The kernel closes comms when it starts a fresh executor.
      this.setState({ kind: "lost", since: Date.now() });
      this._patience = setTimeout(() => !this.isStale(attempt) && void this.open(), AGAIN_MS);
    }
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
    if (status === "restarting" || status === "autorestarting") {
      this._reopen = true;
      this._attempt++;
      this.setState({ kind: "lost", since: Date.now() });
    } else if (status === "dead") {
      this.setState({ kind: "lost", since: Date.now() });
    } else if (this._reopen && (status === "idle" || status === "busy")) {
      this._reopen = false;
      void this.open();
    }
  }

  private onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    // A restart ends in a new connection too, and a kernel may come back without a word about its status.
    if (status === "connected" && this._state.kind === "lost") {
      this._reopen = false;
      void this.open();
    } else if (status !== "connected" && this._state.kind === "connected") {
      this.setState({ kind: "lost", since: Date.now() });
    }
  }

  private onKernelDisposed(): void {
    this._attempt++;
    this._comm = null;
    if (this._state.kind === "connected") {
      this.setState({ kind: "lost", since: Date.now() });
    }
  }

  private isStale(attempt: number): boolean {
    return this._isDisposed || this.kernel.isDisposed || attempt !== this._attempt;
  }

  private setState(state: LinkState): void {
    this._state = state;
    this._stateChanged.emit(state);
  }

  private _attempt = 0;
  private _comm: Kernel.IComm | null = null;
  private _isDisposed = false;
  private _isOurs = false;
  private _patience = 0;
  private _received = new Signal<this, Omit<IReceived, "source">>(this);
  private _reopen = false;
  private _state: LinkState = { kind: "connecting" };
  private _stateChanged = new Signal<this, LinkState>(this);
}

/** Follows the kernel of one session context at a time, through kernel changes and restarts. */
export class KernelFeed implements IKernelFeed {
  get state(): LinkState {
    return this._link ? this._link.state : { kind: this._context ? "no-kernel" : "no-notebook" };
  }

  get source(): ISource | null {
    return this._source;
  }

  get stateChanged(): ISignal<IKernelFeed, LinkState> {
    return this._stateChanged;
  }

  get received(): ISignal<IKernelFeed, IReceived> {
    return this._received;
  }

  /**
   * Listen to this notebook's or console's kernel from now on.
   *
   * @param title what to call it in the panels
   */
  follow(context: ISessionContext | null, title = ""): void {
    if (context === this._context) {
      return;
    }
    this._context?.kernelChanged.disconnect(this.rehook, this);
    this._context?.disposed.disconnect(this.onContextDisposed, this);
    this._context = context;
    this._title = title;
    context?.kernelChanged.connect(this.rehook, this);
    context?.disposed.connect(this.onContextDisposed, this);
    this.rehook();
  }

  private onContextDisposed(): void {
    this.follow(null);
  }

  private rehook(): void {
    this._link?.dispose();
    const kernel = this._context?.session?.kernel ?? null;
    this._source = kernel && { kernelId: kernel.id, title: this._title };
    this._link = kernel && new KernelLink(kernel);
    this._link?.stateChanged.connect(() => this._stateChanged.emit(this.state));
    this._link?.received.connect((_, received) => {
      if (this._source) {
        this._received.emit({ source: this._source, ...received });
      }
    });
    this._stateChanged.emit(this.state);
  }

  private _context: ISessionContext | null = null;
  private _link: KernelLink | null = null;
  private _received = new Signal<IKernelFeed, IReceived>(this);
  private _source: ISource | null = null;
  private _stateChanged = new Signal<IKernelFeed, LinkState>(this);
  private _title = "";
}

/** The bytes of a comm buffer in an ArrayBuffer of exactly their length; copied only when it has to be. */
export function tight(buffer: ArrayBuffer | ArrayBufferView): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) {
    return buffer;
  }
  const whole = buffer.byteOffset === 0 && buffer.byteLength === buffer.buffer.byteLength;
  if (whole && buffer.buffer instanceof ArrayBuffer) {
    return buffer.buffer;
  }
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength).slice().buffer;
}
