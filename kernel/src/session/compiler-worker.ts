import type { Compilation, CompilerQuestion } from "./compiler.js";
import { completeness } from "./completeness.js";
import type { Declared } from "./declarations.js";
import { KERNEL_GLOBALS } from "./kernel-globals.js";
import { CellSyntaxError, rewriteCell } from "./rewrite.js";
import { serve } from "./serve.js";

const globals = new Set([
  ...Object.getOwnPropertyNames(globalThis),
  ...KERNEL_GLOBALS,
  "undefined",
  "arguments",
  "require",
  "__filename",
  "__dirname",
]);
const known = new Set<string>();

serve<CompilerQuestion>((question) => {
  switch (question.op) {
    case "rewrite":
      return rewrite(question.source, question.keepNames);
    case "names":
      return [...new Set([...globals, ...known])];
    case "known":
      return [...known];
    case "keep":
      return keep(question.declared);
    case "completeness":
      return completeness(question.source);
    case "forget":
      return known.clear();
  }
});

function rewrite(source: string, keepNames: boolean): Compilation {
  try {
    const { compiled, declared } = rewriteCell(source, known, globals);
    if (keepNames) keep(declared);
    return { ok: true, compiled, declared };
  } catch (error) {
    if (!(error instanceof CellSyntaxError)) throw error;
    return { ok: false, problem: { name: error.name, message: error.message, offset: error.offset } };
  }
}

/** A cell that throws half-way has still defined what came before. */
function keep(declared: readonly Declared[]): void {
  for (const { name, kind } of declared) if (kind !== "type") known.add(name);
}
