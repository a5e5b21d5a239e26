import { Session } from "node:inspector";

/** How long the main thread may take to say that it saw an interrupt, before its JavaScript is ended from outside. */
const PATIENCE_MS = 250;

/**
 * Second step of the interrupt: code that runs after an `await`, in timers or in a chain of promises is under no
 * `breakOnSigint`; V8 itself ends it, back to the event loop, and everything that it had defined stays.
 */
export class Terminator {
  private timer: NodeJS.Timeout | null = null;
  private session: Session | null = null;
  private patience = PATIENCE_MS;
  private isAwaited = false;

  /** @param again tells the main thread once more: what it had begun to do may have been ended as well */
  constructor(private readonly again: () => void) {}

  start(): void {
    this.isAwaited = true;
    this.patience = PATIENCE_MS;
    this.wait();
  }

  /** The main thread has seen the interrupt. */
  seen(): void {
    this.isAwaited = false;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private wait(): void {
    this.timer ??= setTimeout(() => this.terminate(), this.patience);
  }

  private terminate(): void {
    this.timer = null;
    if (this.session === null) {
      this.session = new Session();
      this.session.connectToMainThread();
    }
    this.session.post("Runtime.terminateExecution", () => {
      if (!this.isAwaited) return;
      this.again();
      this.patience *= 2;
      this.wait();
    });
  }
}
