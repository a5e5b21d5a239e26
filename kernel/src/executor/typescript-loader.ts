/** Loader hooks for Node: they run in Node's own loader thread, and only once a cell imports a TypeScript file. */
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "#typescript";
import { sourcePath, TYPESCRIPT } from "./typescript-paths.js";

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

const KERNEL = fileURLToPath(new URL("../../", import.meta.url));
const VERSIONED = /\.(m?[tj]s|json)$/;

/** A file of the user, as it was when it was last loaded. */
interface LocalFile {
  stamp: string;
  /** What it imports. */
  readonly uses: Set<string>;
  /** Which change it saw last; 0 is none. */
  change: number;
}
const files = new Map<string, LocalFile>();
let changes = 0;

export async function resolve(
  specifier: string,
  context: { parentURL?: string },
  next: Next<object, Resolved>,
): Promise<Resolved> {
  const isPath = /^(\.{0,2}\/|file:)/.test(specifier) && URL.canParse(specifier, context.parentURL);
  const asked = isPath ? new URL(specifier, context.parentURL) : null;
  const path = asked?.protocol === "file:" ? sourcePath(fileURLToPath(asked)) : null;
  const found = path === null ? await next(specifier, context) : await next(pathToFileURL(path).href, context);
  if (!found.url.startsWith("file:")) return found;
  const file = fileURLToPath(found.url);
  if (!isLocal(file)) return found;
  if (context.parentURL?.startsWith("file:")) files.get(fileURLToPath(context.parentURL))?.uses.add(file);
  const version = latestChange(file, new Set());
  const url = pathToFileURL(file).href + (version === 0 ? "" : `?change=${version}`);
  return { ...found, url, ...(TYPESCRIPT.test(file) ? { format: "module", shortCircuit: true } : {}) };
}

export async function load(url: string, context: object, next: Next<object, Loaded>): Promise<Loaded> {
  if (!url.startsWith("file:")) return next(url, context);
  const file = fileURLToPath(url);
  if (isLocal(file)) {
    const known = files.get(file);
    known?.uses.clear();
    files.set(file, { stamp: stampOf(file), uses: known?.uses ?? new Set(), change: known?.change ?? 0 });
  }
  if (!TYPESCRIPT.test(file)) return next(url, context);
  const { outputText } = ts.transpileModule(await readFile(file, "utf8"), {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      isolatedModules: true,
      inlineSourceMap: true,
    },
  });
  return { format: "module", source: outputText, shortCircuit: true };
}

/** Node keeps a module for good under its address: a file that changed, or that uses one, gets a new address. */
function latestChange(file: string, seen: Set<string>): number {
  seen.add(file);
  const known = files.get(file);
  if (known === undefined) return 0;
  const stamp = stampOf(file);
  if (stamp !== known.stamp) {
    known.stamp = stamp;
    known.change = ++changes;
  }
  const below = [...known.uses].filter((used) => !seen.has(used)).map((used) => latestChange(used, seen));
  return Math.max(known.change, ...below);
}

function stampOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? "missing" : `${found.mtimeMs} ${found.size}`;
}

function isLocal(file: string): boolean {
  return VERSIONED.test(file) && !file.includes("/node_modules/") && !file.startsWith(KERNEL);
}
