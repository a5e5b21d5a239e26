import type { Hello, Message } from "@nibble-lab/messages";
import { Token } from "@lumino/coreutils";
import type { ISignal } from "@lumino/signaling";

/** How the panels stand with the kernel of the notebook or console that was used last. */
export type LinkState =
  | { readonly kind: "no-notebook" }
  | { readonly kind: "no-kernel" }
  | { readonly kind: "connecting" }
  /** The kernel does not speak our protocol. */
  | { readonly kind: "foreign"; readonly kernel: string }
  /** Another view holds the one connection of this kernel that may carry comms. */
  | { readonly kind: "taken" }
  /** No version of the protocol is known to both sides. */
  | { readonly kind: "mismatch"; readonly message: string }
  | { readonly kind: "connected"; readonly hello: Hello }
  /** Milliseconds since the epoch at which the kernel was last known to be there. */
  | { readonly kind: "lost"; readonly since: number };

/** Where the data comes from, in words for a person and as a key. */
export interface ISource {
  readonly kernelId: string;
  /** Name of the notebook or console. */
  readonly title: string;
}

/** One decoded message with its arrays: each buffer is aligned and owned by the receiver. */
export interface IReceived {
  readonly source: ISource;
  readonly message: Message;
  readonly buffers: readonly ArrayBuffer[];
}

/** What the kernel in use says, for every panel. */
export interface IKernelFeed {
  readonly state: LinkState;
  readonly source: ISource | null;
  readonly stateChanged: ISignal<IKernelFeed, LinkState>;
  readonly received: ISignal<IKernelFeed, IReceived>;
}

export const IKernelFeed = new Token<IKernelFeed>(
  "@nibble-lab/lab-extension:IKernelFeed",
  "The messages of the Nibble Lab kernel in use.",
);
