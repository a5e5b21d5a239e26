import type { Category } from "@nibble-lab/messages";

/** What the kernel uses of the native addon. All of it is process-wide and may be called from any thread. */
export interface Engine {
  interrupt(): void;
  clearInterrupt(): void;
  categories(): Category[];
  memoryStats(): {
    device: string;
    live: number;
    peak: number;
    limit: number;
    liveByCategory: number[];
    atPeakByCategory: number[];
  }[];
  memoryOwners(limit: number): { owner: string; category: Category; device: string; bytes: number }[];
}

let engine: Engine | null = null;
let loading: Promise<Engine> | null = null;

/**
 * The addon in this thread. It is loaded only when user code loaded it or a panel asks: a kernel without it starts and runs.
 * @throws where the addon is not built
 */
export async function loadEngine(): Promise<Engine> {
  loading ??= import("@nibble-lab/native").then((addon) => (engine = addon));
  return loading;
}

/** User code has loaded the addon in its thread; the flag is shared, so that it can be interrupted from here on. */
export async function engineLoaded(): Promise<void> {
  try {
    await loadEngine();
  } catch {
    loading = null; // user code has seen the error where it imported the library
  }
}

export function interruptEngine(): void {
  engine?.interrupt();
}

export function clearEngineInterrupt(): void {
  engine?.clearInterrupt();
}
