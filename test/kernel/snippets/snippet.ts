/** Cells that run one after the other, and what the last one gives. */
export interface Snippet {
  readonly name: string;
  readonly cells: readonly string[];
  /** Text of the last cell's result; empty for a cell without one. */
  readonly value: string;
  /** Code, and what inspecting its end says: type and documentation on one line. */
  readonly type?: readonly [code: string, says: string];
  /** Code, and everything that completes its end. */
  readonly completion?: readonly [code: string, matches: readonly string[]];
  /** The cells are wrong in their types and run nevertheless where nobody checks. */
  readonly untyped?: true;
  /** What tslab 1.0.22 makes of it, where that is something else and wrong. Everywhere else it must agree with us. */
  readonly tslab?: "differs";
}

type More = Omit<Snippet, "name" | "cells" | "value">;

export function snippet(name: string, cells: readonly string[] | string, value: string, more: More = {}): Snippet {
  return { name, cells: typeof cells === "string" ? [cells] : cells, value, ...more };
}
