import { setImmediate } from "node:timers/promises";
import { InterruptedError, throwIfAborted } from "../errors.js";
import { events } from "../events.js";
import { isInterrupted } from "../tensor/device.js";

let runs = 0;

/** Work on one layer after another: reports each, gives way to the event loop after it, and stops where it is told to. */
export class LayerWork {
  private readonly id: string;
  private done = 0;

  constructor(
    private readonly op: string,
    private readonly label: string,
    private readonly total: number,
    readonly signal: AbortSignal | undefined,
  ) {
    this.id = `${label} ${++runs}`;
  }

  /** @throws {InterruptedError} */
  async layerDone(): Promise<void> {
    const { id, label, total } = this;
    events.emit("progress", { id, label, done: ++this.done, total, unit: "layers" });
    await setImmediate();
    this.throwIfStopped();
  }

  /** @throws {InterruptedError} */
  throwIfStopped = (): void => {
    throwIfAborted(this.op, this.signal);
    if (isInterrupted()) throw new InterruptedError(this.op, "Stopped. The model is as it was.");
  };
}
