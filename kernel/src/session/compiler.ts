import type { CompiledCell } from "../executor/messages.js";
import type { Declared } from "./declarations.js";
import type { CellLanguage } from "./magics.js";
import { WorkerClient } from "./worker-client.js";

export interface CompileProblem {
  readonly name: string;
  readonly message: string;
  /** UTF-16 units from the start of the cell; null where no place is meant. */
  readonly offset: number | null;
}

export type Compilation =
  | { readonly ok: true; readonly compiled: CompiledCell; readonly declared: readonly Declared[] }
  | { readonly ok: false; readonly problem: CompileProblem };

export interface Completeness {
  readonly status: "complete" | "incomplete" | "invalid";
  readonly indent: string;
}

export type CompilerQuestion =
  | { readonly op: "rewrite"; readonly source: string; readonly keepNames: boolean }
  | { readonly op: "names" }
  /** Names of earlier cells alone. */
  | { readonly op: "known" }
  | { readonly op: "keep"; readonly declared: readonly Declared[] }
  | { readonly op: "completeness"; readonly source: string }
  /** The executor is new: no name is defined. */
  | { readonly op: "forget" };

export interface TslabQuestion {
  readonly source: string;
  /** Every name of earlier cells. */
  readonly known: readonly string[];
}

/** Rewrites cells in its own thread, so that sockets are answered meanwhile. */
export class Compiler {
  private readonly tslab = new WorkerClient<TslabQuestion>(new URL("./tslab-worker.js", import.meta.url));
  private readonly worker = new WorkerClient<CompilerQuestion>(new URL("./compiler-worker.js", import.meta.url));

  warm(): void {
    this.worker.warm();
  }

  compile(source: string, language: CellLanguage): Promise<Compilation> {
    if (language === "tslab") return this.convert(source);
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

  /** tslab's converter knows the names of cells that it did not see itself only as `any`. */
  private async convert(source: string): Promise<Compilation> {
    const known = await this.worker.ask<string[]>({ op: "known" });
    const compilation = await this.tslab.ask<Compilation>({ source, known });
    if (compilation.ok) await this.worker.ask({ op: "keep", declared: compilation.declared });
    return compilation;
  }
}
