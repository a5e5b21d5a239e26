import type { Content, DisplayContent, ErrorContent, StreamName } from "../jupyter/protocol.js";
import type { Edit } from "../session/edits.js";

/** A cell that was rewritten and is ready to run. */
export interface CompiledCell {
  /** Program text: an expression of a function. */
  readonly code: string;
  readonly map: CellMap;
  readonly imports: readonly CellImport[];
  readonly isAsync: boolean;
}

/** How positions in `code` lead back to the cell. */
export interface CellMap {
  /** Version 3 mappings from `code` behind `head` to the changed text. */
  readonly mappings: string;
  readonly head: number;
  /** What was put before the changed text, and before the source. */
  readonly prefix: number;
  readonly shift: number;
  readonly edits: readonly Edit[];
}

/** A static import of a cell: it is resolved before the body runs. */
export interface CellImport {
  readonly specifier: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Local name → exported name; "*" is the whole namespace. */
  readonly bindings: readonly { readonly local: string; readonly exported: string }[];
}

export interface CellRun {
  /** Numbers every run in this executor's life; output carries it back. */
  readonly run: number;
  /** Shown as `Cell[count].ts`. */
  readonly count: number;
  readonly source: string;
  readonly compiled: CompiledCell;
  readonly expressions: Readonly<Record<string, CompiledCell>>;
  readonly silent: boolean;
  readonly allowStdin: boolean;
}

/** Protocol process → supervisor. */
export type ToExecutor =
  | { readonly kind: "run"; readonly cell: CellRun }
  | { readonly kind: "interrupt" }
  | { readonly kind: "input"; readonly id: number; readonly value: string }
  | CommMessage
  /** Answered when everything sent before was handled by the supervisor. */
  | { readonly kind: "sync"; readonly id: number }
  | { readonly kind: "usage"; readonly id: number };

export type CommMessage =
  | { readonly kind: "comm_open"; readonly id: string; readonly target: string; readonly data: Content }
  | { readonly kind: "comm_msg"; readonly id: string; readonly data: Content }
  | { readonly kind: "comm_close"; readonly id: string; readonly data: Content };

export type RunOutcome =
  | {
      readonly status: "ok";
      readonly result: DisplayContent | null;
      readonly expressions: Content;
      readonly page?: string;
    }
  | ({ readonly status: "error" } & ErrorContent);

/** Executor → protocol process. */
export type FromExecutor =
  | { readonly kind: "ready" }
  | { readonly kind: "stream"; readonly run: number; readonly name: StreamName; readonly text: string }
  | { readonly kind: "display"; readonly run: number; readonly update: boolean; readonly content: DisplayContent }
  | { readonly kind: "clear"; readonly run: number; readonly wait: boolean }
  | {
      readonly kind: "input";
      readonly run: number;
      readonly id: number;
      readonly prompt: string;
      readonly password: boolean;
    }
  | { readonly kind: "done"; readonly run: number; readonly outcome: RunOutcome }
  | CommMessage
  | { readonly kind: "sync"; readonly id: number }
  | { readonly kind: "usage"; readonly id: number; readonly cpuPercent: number; readonly resident: number };

/** Supervisor → main thread of the executor. */
export type ToMain = Exclude<ToExecutor, { kind: "usage" | "sync" }>;

/** Main thread → supervisor: what goes on to the protocol process, and what stays here. */
export type FromMain =
  | Exclude<FromExecutor, { kind: "stream" | "usage" | "sync" }>
  | { readonly kind: "drain"; readonly urgent: boolean }
  | { readonly kind: "interrupt-seen" }
  | { readonly kind: "engine-loaded" }
  | { readonly kind: "comm_target"; readonly target: string; readonly open: boolean }
  | { readonly kind: "event"; readonly name: string; readonly data: Content };

/** How messages travel between the two threads of the executor. */
export interface Envelope<Value> {
  readonly value: Value;
  readonly buffers: readonly Uint8Array[];
  /** Bytes of output written before this message: they go first. */
  readonly outputBefore?: number;
}

/** Ends a cell's share of the raw stdout and stderr pipes. */
export function outputMarker(nonce: string, run: number): string {
  return `\u0000${nonce}:${run}\u0000`;
}
