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

  constructor(private readonly terminated: () => void) {}

  start(): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => this.terminate(), PATIENCE_MS);
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private terminate(): void {
    this.timer = null;
    if (this.session === null) {
      this.session = new Session();
      this.session.connectToMainThread();
    }
    this.session.post("Runtime.terminateExecution", () => this.terminated());
  }
}
