import { readFileSync, statSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type TypeScript from "typescript6";
import { sourcePath, TYPESCRIPT } from "./typescript-paths.js";

/** tslab's display functions are the kernel's own: the real ones speak to tslab's kernel. */
export const TSLAB = new URL("./tslab.js", import.meta.url).href;

/** `require` of cells: it finds TypeScript files too, and reads them again once they have changed. */
export function cellRequire(): NodeJS.Require {
  const find = createRequire(join(process.cwd(), "cell.ts"));
  const cellRequire = (specifier: string): unknown => {
    if (specifier === "tslab") return find(fileURLToPath(TSLAB));
    if (!/^\.{0,2}\//.test(specifier)) return find(specifier) as unknown;
    requireTypeScript();
    forgetChanged(find);
    return find(sourcePath(join(process.cwd(), specifier))) as unknown;
  };
  return Object.assign(cellRequire, find);
}

/** JSON is data: what the file holds now, not what it held at the first import. */
export function readJson(specifier: string): unknown {
  const find = createRequire(join(process.cwd(), "cell.ts"));
  const path = find.resolve(specifier);
  delete find.cache[path];
  return find(path) as unknown;
}

interface LoadableModule {
  _compile(code: string, file: string): void;
}
type Extensions = Record<string, (module: LoadableModule, file: string) => void>;

/** When each TypeScript file was last written, as it was when it was read. */
const writtenAt = new Map<string, number>();
let isRegistered = false;

function requireTypeScript(): void {
  if (isRegistered) return;
  isRegistered = true;
  const extensions = (Module as unknown as { _extensions: Extensions })._extensions;
  for (const extension of [".ts", ".cts"]) {
    extensions[extension] = (module, file) => {
      const ts = createRequire(import.meta.url)("typescript6") as typeof TypeScript;
      const { outputText } = ts.transpileModule(readFileSync(file, "utf8"), {
        fileName: file,
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, esModuleInterop: true },
      });
      writtenAt.set(file, statSync(file).mtimeMs);
      module._compile(outputText, file);
    };
  }
}

/** One file that changed makes all of them fresh: which of them uses it is not known. */
function forgetChanged(find: NodeJS.Require): void {
  const isChanged = [...writtenAt].some(([file, then]) => statSync(file, { throwIfNoEntry: false })?.mtimeMs !== then);
  if (!isChanged) return;
  for (const file of writtenAt.keys()) if (TYPESCRIPT.test(file)) delete find.cache[file];
  writtenAt.clear();
}
