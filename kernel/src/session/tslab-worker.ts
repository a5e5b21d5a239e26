import { createRequire } from "node:module";
import { join } from "node:path";
import type { CompiledCell } from "../executor/messages.js";
import { declaredIn } from "./cell-names.js";
import type { Compilation, TslabQuestion } from "./compiler.js";
import { PARAMETERS } from "./rewrite.js";
import { serve } from "./serve.js";

/** What is used of `tslab/dist/converter`, as of tslab 1.0.22. */
interface Converter {
  convert(
    declarations: string,
    source: string,
  ): {
    readonly output?: string;
    readonly declOutput?: string;
    readonly diagnostics: readonly { readonly messageText: string; readonly start: { readonly offset: number } }[];
    readonly lastExpressionVar?: string;
    readonly hasToplevelAwait?: boolean;
  };
}

let converter: Converter | null = null;
/** Declarations that tslab printed for its own cells. */
let declarations = "";

serve<TslabQuestion>(({ source, known }) => convert(source, known));

function convert(source: string, known: readonly string[]): Compilation {
  try {
    converter ??= loadConverter();
  } catch {
    const message =
      "[%%tslab] tslab is not installed. Install it beside the notebook: `npm install tslab`. " +
      'Its display functions need nothing: `import * as tslab from "tslab"` works in every cell.';
    return { ok: false, problem: { name: "UnsupportedError", message, offset: null } };
  }
  const seen = new Set(declarations.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu));
  const others = known.filter((name) => !seen.has(name)).map((name) => `declare let ${name}: any;\n`);
  const result = converter.convert(declarations + others.join(""), source);
  const problem = result.diagnostics[0];
  if (problem !== undefined) {
    const { messageText, start } = problem;
    return { ok: false, problem: { name: "TypeScriptError", message: messageText, offset: start.offset } };
  }
  declarations = result.declOutput ?? "";
  const { output = "", lastExpressionVar, hasToplevelAwait = false } = result;
  return {
    ok: true,
    compiled: compiledCell(output, lastExpressionVar ?? "tsLastExpr", hasToplevelAwait),
    declared: declaredIn(source),
  };
}

/** The notebook's own tslab wins. @throws where there is none */
function loadConverter(): Converter {
  const notebook = createRequire(join(process.cwd(), "cell.js"));
  const kernel = createRequire(import.meta.url);
  const path = [notebook, kernel].flatMap((find) => {
    try {
      return [find.resolve("tslab/dist/converter")];
    } catch {
      return [];
    }
  })[0];
  if (path === undefined) throw new Error("tslab is not installed");
  const { createConverter } = kernel(path) as { createConverter(): Converter };
  return createConverter();
}

/** tslab makes CommonJS of a cell: its `exports` are the names of the notebook, and its last expression is the result. */
function compiledCell(output: string, last: string, isAsync: boolean): CompiledCell {
  const body = output
    .replace('Object.defineProperty(exports, "__esModule", { value: true });', "")
    .replace(
      /Object\.defineProperty\(exports, "([^"]+)", \{ enumerable: true, get: function \(\) \{ return ([^;]+); \} \}\);/g,
      "exports.$1 = $2;",
    )
    .replaceAll(`exports.${last}`, "last$");
  const head = `let last$; const exports = cell$;`;
  const code = `(function () { return ${isAsync ? "async " : ""}function (${PARAMETERS}) { ${head} ${body}\nreturn last$; } })()`;
  return { code, map: { mappings: "", head: 0, prefix: 0, shift: 0, edits: [] }, imports: [], isAsync };
}
