import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "#typescript";

const kernelRequire = createRequire(import.meta.url);
const KERNEL_FILE = kernelRequire.resolve("../../package.json");
/** Modules that mean the kernel's own copy, wherever the notebook lies. */
const OWN = /^(nibble-lab|@nibble-lab\/native)(\/|$)/;
const TSLAB = fileURLToPath(new URL("../executor/tslab.d.ts", import.meta.url));

export interface HeldFile {
  readonly text: string;
  readonly version: number;
}

const nodeTypes = dirname(dirname(kernelRequire.resolve("@types/node/package.json")));

/** A notebook is no library: imports resolve as a bundler's do, of packages and files, in ESM and in `require`. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  lib: ["lib.esnext.d.ts"],
  module: ts.ModuleKind.Preserve,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  customConditions: ["node"],
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  types: ["node"],
  typeRoots: [nodeTypes],
};

/** The language service's view of the disk, with the files that the kernel holds in memory laid over it. */
export function languageHost(folder: string, held: ReadonlyMap<string, HeldFile>): ts.LanguageServiceHost {
  const fileExists = (file: string): boolean => held.has(file) || ts.sys.fileExists(file);
  const readFile = (file: string): string | undefined => held.get(file)?.text ?? ts.sys.readFile(file);
  const moduleHost = { ...ts.sys, fileExists, readFile };
  let cache = ts.createModuleResolutionCache(folder, (name) => name, OPTIONS);
  const resolve = (name: string, from: string): ts.ResolvedModuleWithFailedLookupLocations => {
    if (name === "tslab") return { resolvedModule: { resolvedFileName: TSLAB, extension: ts.Extension.Dts } } as never;
    const found = ts.resolveModuleName(name, OWN.test(name) ? KERNEL_FILE : from, OPTIONS, moduleHost, cache);
    // What is missing now may be written or installed before the next cell asks.
    if (found.resolvedModule === undefined) cache = ts.createModuleResolutionCache(folder, (it) => it, OPTIONS);
    return found;
  };
  return {
    getCompilationSettings: () => OPTIONS,
    getScriptFileNames: () => [...held.keys()],
    getScriptVersion: (file) => String(held.get(file)?.version ?? diskVersion(file)),
    getScriptSnapshot: (file) => {
      const text = readFile(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists,
    readFile,
    readDirectory: (...given) => ts.sys.readDirectory(...given),
    directoryExists: (path) => ts.sys.directoryExists(path),
    getDirectories: (path) => ts.sys.getDirectories(path),
    resolveModuleNameLiterals: (literals, from) => literals.map((literal) => resolve(literal.text, from)),
  };
}

/** The user's own files change while a notebook is open; packages do not. */
function diskVersion(file: string): number {
  return file.includes("/node_modules/") ? 0 : (ts.sys.getModifiedTime?.(file)?.getTime() ?? 0);
}
