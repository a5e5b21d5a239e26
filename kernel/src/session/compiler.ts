import type { CompiledCell } from "../executor/messages.js";
import type { Declared } from "./declarations.js";
import { WorkerClient } from "./worker-client.js";

export interface SyntaxProblem {
  readonly message: string;
  /** UTF-16 units from the start of the cell. */
  readonly offset: number;
}

export type Compilation =
  | { readonly ok: true; readonly compiled: CompiledCell; readonly declared: readonly Declared[] }
  | { readonly ok: false; readonly problem: SyntaxProblem };

export interface Completeness {
  readonly status: "complete" | "incomplete" | "invalid";
  readonly indent: string;
}

export type CompilerQuestion =
  | { readonly op: "rewrite"; readonly source: string; readonly keepNames: boolean }
  | { readonly op: "names" }
  | { readonly op: "completeness"; readonly source: string }
  /** The executor is new: no name is defined. */
  | { readonly op: "forget" };

/** Rewrites cells in its own thread, so that sockets are answered meanwhile. */
export class Compiler {
  private readonly worker = new WorkerClient<CompilerQuestion>(new URL("./compiler-worker.js", import.meta.url));

  warm(): void {
    this.worker.warm();
  }

  rewrite(source: string): Promise<Compilation> {
    return this.worker.ask({ op: "rewrite", source, keepNames: true });
  }

  /** For an expression beside a cell: what it declares is not known later. */
  rewriteExpression(source: string): Promise<Compilation> {
    return this.worker.ask({ op: "rewrite", source, keepNames: false });
  }

  /** Every name that a cell can use: of earlier cells, of the kernel, of JavaScript. */
  names(): Promise<string[]> {
    return this.worker.ask({ op: "names" });
  }

  completeness(source: string): Promise<Completeness> {
    return this.worker.ask({ op: "completeness", source });
  }

  forget(): Promise<void> {
    return this.worker.ask({ op: "forget" });
  }
}
