import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import ts from "#typescript";

/** Loader hooks for Node: they run in Node's own loader thread, and only once a cell imports a TypeScript file. */
interface Resolved {
  url: string;
  format?: string;
  shortCircuit?: boolean;
}
interface Loaded {
  format: string;
  source: string;
  shortCircuit: boolean;
}
type Next<Context, Result> = (specifier: string, context: Context) => Promise<Result>;

const EXTENSION = /\.m?ts$/;

/** `./file.js` may mean `./file.ts`, as in TypeScript; a file that is there wins. */
export async function resolve(
  specifier: string,
  context: { parentURL?: string },
  next: Next<object, Resolved>,
): Promise<Resolved> {
  const isRelative = /^(\.{1,2}\/|file:)/.test(specifier);
  if (isRelative && specifier.endsWith(".js")) {
    const asTypeScript = new URL(specifier.replace(/\.js$/, ".ts"), context.parentURL);
    const asWritten = new URL(specifier, context.parentURL);
    if (!existsSync(asWritten) && existsSync(asTypeScript))
      return { url: asTypeScript.href, format: "module", shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url: string, context: object, next: Next<object, Loaded>): Promise<Loaded> {
  if (!url.startsWith("file:") || !EXTENSION.test(new URL(url).pathname)) return next(url, context);
  const fileName = fileURLToPath(url);
  const { outputText } = ts.transpileModule(await readFile(fileName, "utf8"), {
    fileName,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      isolatedModules: true,
      inlineSourceMap: true,
    },
  });
  return { format: "module", source: outputText, shortCircuit: true };
}
