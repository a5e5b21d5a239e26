import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "#typescript";

const kernelRequire = createRequire(import.meta.url);
const KERNEL_FILE = kernelRequire.resolve("../../package.json");
const KERNEL_FOLDER = `${dirname(KERNEL_FILE)}/`;
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
export function languageHost(
  folder: string,
  roots: string[],
  held: ReadonlyMap<string, HeldFile>,
): ts.LanguageServiceHost {
  const fileExists = (file: string): boolean => held.has(file) || ts.sys.fileExists(file);
  const readFile = (file: string): string | undefined => held.get(file)?.text ?? ts.sys.readFile(file);
  const moduleHost = { ...ts.sys, fileExists, readFile };
  const snapshots = new Snapshots();
  const cache = ts.createModuleResolutionCache(folder, (name) => name, OPTIONS);
  const resolve = (name: string, from: string): ts.ResolvedModuleWithFailedLookupLocations => {
    if (name === "tslab") return { resolvedModule: { resolvedFileName: TSLAB, extension: ts.Extension.Dts } } as never;
    const found = ts.resolveModuleName(name, OWN.test(name) ? KERNEL_FILE : from, OPTIONS, moduleHost, cache);
    if (found.resolvedModule !== undefined || isPackaged(from)) return found;
    // What is missing now may be written or installed before the next cell asks.
    return ts.resolveModuleName(name, from, OPTIONS, moduleHost);
  };
  return {
    getCompilationSettings: () => OPTIONS,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    getScriptFileNames: () => roots,
    getScriptVersion: (file) => String(held.get(file)?.version ?? diskVersion(file)),
    getScriptSnapshot: (file) => snapshots.of(file, held.get(file)?.version ?? diskVersion(file), readFile),
    getModuleResolutionCache: () => cache,
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists,
    readFile,
    readDirectory: (...given) => ts.sys.readDirectory(...given),
    directoryExists: (path) => ts.sys.directoryExists(path),
    getDirectories: (path) => ts.sys.getDirectories(path),
    resolveModuleNameLiterals: (literals, from) => literals.map((literal) => resolve(literal.text, from)),
  } as ts.LanguageServiceHost;
}

/** Each question asks for the text of every file: they are read once a version. */
class Snapshots {
  private readonly known = new Map<string, { version: number; snapshot: ts.IScriptSnapshot }>();

  of(file: string, version: number, read: (file: string) => string | undefined): ts.IScriptSnapshot | undefined {
    const known = this.known.get(file);
    if (known?.version === version) return known.snapshot;
    const text = read(file);
    if (text === undefined) return undefined;
    const snapshot = ts.ScriptSnapshot.fromString(text);
    this.known.set(file, { version, snapshot });
    return snapshot;
  }
}

/** The user's own files change while a notebook is open; packages do not. */
function diskVersion(file: string): number {
  return isPackaged(file) ? 0 : (ts.sys.getModifiedTime?.(file)?.getTime() ?? 0);
}

function isPackaged(file: string): boolean {
  return file.includes("/node_modules/") || file.startsWith(KERNEL_FOLDER);
}
