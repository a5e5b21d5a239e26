import { Net, type Claim } from "./net.js";
import { native } from "./native.js";
import type { Handle } from "./dtype.js";

/** One native tensor and the number of `Tensor` objects that hold it; the last to let go frees it. */
export class Storage {
  private holders = 1;
  /** Counts changes in place: a tape notices when what it saved is no longer what it saved. */
  version = 0;

  constructor(readonly handle: Handle) {}

  get shared(): boolean {
    return this.holders > 1;
  }

  hold(): this {
    this.holders++;
    return this;
  }

  release(): void {
    if (--this.holders === 0) native.tensorDispose(this.handle);
  }
}

/** The net under `dispose` and `scope`: frees what only the garbage collector noticed. */
export const net = new Net<Storage>((storage) => storage.release());
export type StorageClaim = Claim<Storage>;

/** Tensors that were freed by the garbage collector, not by their owner, since the process began. */
export function collectedTensors(): number {
  return net.collected;
}
