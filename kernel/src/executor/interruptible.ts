import { Script } from "node:vm";

const ignore = (): void => undefined;

/**
 * Runs code that SIGINT ends (`breakOnSigint`), and keeps in shared memory whether any runs: at another time the signal may
 * meet a moment at which Node has no handler, and end the process.
 */
export class Interruptible {
  private readonly state: Int32Array;
  private readonly script: Script;
  private task: () => unknown = ignore;

  constructor(readonly memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.state = new Int32Array(memory);
    const key = Symbol.for("nibble-lab.run-task");
    Object.defineProperty(globalThis, key, { value: () => this.task(), enumerable: false });
    this.script = new Script(`globalThis[Symbol.for("nibble-lab.run-task")]()`, { filename: "node:vm" });
  }

  run(task: () => unknown): unknown {
    this.task = () => {
      this.running(true);
      try {
        return task();
      } finally {
        this.running(false);
      }
    };
    try {
      return this.script.runInThisContext({ breakOnSigint: true });
    } finally {
      this.running(false);
    }
  }

  /** After an interrupt: V8, when it ends code from outside, runs no `finally`, and Node's own has taken the listeners away. */
  restore(): void {
    this.running(false);
    if (process.listenerCount("SIGINT") === 0) process.on("SIGINT", ignore);
  }

  private running(yes: boolean): void {
    Atomics.store(this.state, 0, yes ? 1 : 0);
  }
}

/** Asked by the supervisor. */
export function runsInterruptibly(memory: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(memory), 0) === 1;
}
