import type { PcaComparison } from "@nibble-lab/messages";
import type { Content } from "../jupyter/protocol.js";
import type { Bridge, Push } from "./bridge.js";

/** Hands comparisons on, and keeps the latest for a panel that opens after it was made. */
export class PcaBridge implements Bridge {
  private latest: { message: PcaComparison; buffers: readonly Uint8Array[] } | null = null;

  constructor(private readonly push: Push) {}

  listeners(): void {}

  welcome(push: Push): void {
    if (this.latest !== null) push(this.latest.message, this.latest.buffers);
  }

  event(name: string, data: Content, buffers: readonly Uint8Array[]): void {
    if (name !== "pca.comparison") return;
    const message = { ...(data as unknown as Omit<PcaComparison, "kind">), kind: "pca.comparison" } as const;
    this.latest = { message, buffers };
    this.push(message, buffers);
  }

  dispose(): void {
    this.latest = null;
  }
}
