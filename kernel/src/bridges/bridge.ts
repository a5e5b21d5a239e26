import type { Message } from "@nibble-lab/messages";
import type { Content } from "../jupyter/protocol.js";

export type Push = (message: Message, buffers?: readonly Uint8Array[]) => void;

/** What feeds one topic: it pushes to everybody who listens, and tells a newcomer the latest state. */
export interface Bridge {
  /** Called when the number of listeners changes. */
  listeners(count: number): void;
  welcome(push: Push): void;
  event?(name: string, data: Content, buffers: readonly Uint8Array[]): void;
  dispose(): void;
}
