import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import ts from "#typescript";
import type { Declared } from "./declarations.js";
import { KERNEL_GLOBALS_TYPES } from "./kernel-globals.js";
import type { Completion, Completions, Inspection } from "./language.js";

const kernelRequire = createRequire(import.meta.url);
const KERNEL_FILE = kernelRequire.resolve("../../package.json");
/** Modules that mean the kernel's own copy, wherever the notebook lies. */
const OWN = /^(nibble-lab|@nibble-lab\/native)(\/|$)/;
const MOST_ENTRIES = 500;
/** Signatures cost time: only what is seen first gets one. */
const SIGNATURES = 20;

interface Cell {
  readonly file: string;
  readonly text: string;
  readonly version: number;
}

/**
 * TypeScript's language service over the cells of a notebook. Each executed cell is a module of its own, and the next one
 * sees its names through a generated first line: a name that is defined again is taken from the latest cell.
 */
export class LanguageService {
  private readonly files = new Map<string, Cell>();
  private readonly names = new Map<string, Declared & { readonly file: string }>();
  private readonly globalsFile: string;
  private readonly draftFile: string;
  private readonly service: ts.LanguageService;
  private version = 0;

  constructor(private readonly folder: string) {
    this.globalsFile = join(folder, "__nibble_globals.d.ts");
    this.draftFile = join(folder, "__nibble_draft.ts");
    this.write(this.globalsFile, KERNEL_GLOBALS_TYPES);
    this.write(this.draftFile, "export {};");
    this.service = ts.createLanguageService(this.host(), ts.createDocumentRegistry());
  }

  addCell(count: number, source: string, declared: readonly Declared[]): void {
    const file = join(this.folder, `__nibble_cell_${count}.ts`);
    const exported = [...new Set(declared.filter(({ kind }) => kind !== "import").map(({ name }) => name))];
    this.write(
      file,
      `${this.header(declared.map(({ name }) => name))}\n${withoutExports(source)}\nexport { ${exported.join(", ")} };`,
    );
    for (const one of declared) this.names.set(one.name, { ...one, file });
  }

  forget(): void {
    for (const file of this.files.keys()) if (file !== this.globalsFile) this.files.delete(file);
    this.names.clear();
    this.write(this.draftFile, "export {};");
  }

  complete(source: string, offset: number): Completions {
    const shift = this.draft(source);
    const start = wordStart(source, offset);
    const found = this.service.getCompletionsAtPosition(this.draftFile, offset + shift, {
      includeCompletionsForModuleExports: false,
    });
    const typed = source.slice(start, offset);
    const entries = (found?.entries ?? []).filter((entry) => entry.name.startsWith(typed) && !isOurs(entry.name));
    const sorted = entries
      .sort((a, b) => compare(a.sortText, b.sortText) || compare(a.name, b.name))
      .slice(0, MOST_ENTRIES);
    return { start, end: offset, entries: sorted.map((entry, index) => this.completion(entry, offset + shift, index)) };
  }

  inspect(source: string, offset: number): Inspection | null {
    const shift = this.draft(source);
    const at = [offset, offset - 1].find(
      (place) => place >= 0 && this.service.getQuickInfoAtPosition(this.draftFile, place + shift),
    );
    const info = at === undefined ? undefined : this.service.getQuickInfoAtPosition(this.draftFile, at + shift);
    if (info === undefined) return null;
    const signature = withoutImports(ts.displayPartsToString(info.displayParts));
    const docs = ts.displayPartsToString(info.documentation);
    const tags = (info.tags ?? []).map((tag) => `@${tag.name} ${ts.displayPartsToString(tag.text)}`.trimEnd());
    const prose = [docs, tags.join("\n")].filter((part) => part !== "");
    return {
      text: [signature, ...prose].join("\n\n"),
      markdown: [`\`\`\`typescript\n${signature}\n\`\`\``, ...prose.map((part) => part.replace(/\n/g, "  \n"))].join(
        "\n\n",
      ),
    };
  }

  private completion(entry: ts.CompletionEntry, position: number, index: number): Completion {
    const isCallable =
      entry.kind === ts.ScriptElementKind.functionElement || entry.kind === ts.ScriptElementKind.memberFunctionElement;
    const wanted = isCallable && index < SIGNATURES;
    const details = wanted
      ? this.service.getCompletionEntryDetails(
          this.draftFile,
          position,
          entry.name,
          undefined,
          entry.source,
          undefined,
          entry.data,
        )
      : undefined;
    const signature = details === undefined ? "" : withoutImports(ts.displayPartsToString(details.displayParts));
    return {
      text: entry.name,
      type: kindWord(entry.kind),
      signature: /\(.*$/s.exec(signature.replace(/^\(\w+\) /, ""))?.[0] ?? "",
    };
  }

  /** Puts the cell being written in its place; the result is how far it moved. */
  private draft(source: string): number {
    const header = `${this.header([])}\n`;
    this.write(this.draftFile, `${header}${source}\nexport {};`);
    return header.length;
  }

  /** One line that brings in every name of earlier cells, but for those that the cell defines itself. */
  private header(own: readonly string[]): string {
    const parts = new Set<string>();
    const byFile = new Map<string, string[]>();
    for (const { name, kind, repeat, file } of this.names.values()) {
      if (own.includes(name)) continue;
      const from = `./${file.slice(this.folder.length + 1).replace(/\.ts$/, ".js")}`;
      if (kind === "import") parts.add(onlyName(repeat ?? "", name));
      else if (kind === "let" || kind === "const")
        parts.add(`declare ${kind} ${name}: typeof import("${from}").${name};`);
      else byFile.set(from, [...(byFile.get(from) ?? []), name]);
    }
    for (const [from, names] of byFile) parts.add(`import { ${names.join(", ")} } from "${from}";`);
    return [...parts].join(" ").replace(/\n/g, " ");
  }

  private write(file: string, text: string): void {
    if (this.files.get(file)?.text !== text) this.files.set(file, { file, text, version: ++this.version });
  }

  private host(): ts.LanguageServiceHost {
    const nodeTypes = dirname(dirname(kernelRequire.resolve("@types/node/package.json")));
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ESNext,
      lib: ["lib.esnext.d.ts"],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      moduleDetection: ts.ModuleDetectionKind.Force,
      allowImportingTsExtensions: true,
      resolveJsonModule: true,
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [nodeTypes],
    };
    const fileExists = (file: string): boolean => this.files.has(file) || ts.sys.fileExists(file);
    const readFile = (file: string): string | undefined => this.files.get(file)?.text ?? ts.sys.readFile(file);
    const moduleHost = { ...ts.sys, fileExists, readFile };
    const cache = ts.createModuleResolutionCache(this.folder, (name) => name, options);
    const resolve = (name: string, from: string) =>
      ts.resolveModuleName(
        name,
        OWN.test(name) ? KERNEL_FILE : from,
        options,
        moduleHost,
        cache,
        undefined,
        ts.ModuleKind.ESNext,
      );
    return {
      getCompilationSettings: () => options,
      getScriptFileNames: () => [...this.files.keys()],
      getScriptVersion: (file) =>
        String(this.files.get(file)?.version ?? ts.sys.getModifiedTime?.(file)?.getTime() ?? 0),
      getScriptSnapshot: (file) => {
        const text = readFile(file);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      getCurrentDirectory: () => this.folder,
      getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
      fileExists,
      readFile,
      readDirectory: (...given) => ts.sys.readDirectory(...given),
      directoryExists: (path) => ts.sys.directoryExists(path),
      getDirectories: (path) => ts.sys.getDirectories(path),
      resolveModuleNameLiterals: (literals, from) => literals.map((literal) => resolve(literal.text, from)),
      getImpliedNodeFormat: () => ts.ModuleKind.ESNext,
    } as ts.LanguageServiceHost;
  }
}

/** Names that only the generated lines use. */
function isOurs(name: string): boolean {
  return name.startsWith("__nibble_") || name.startsWith("Nibble");
}

function wordStart(source: string, offset: number): number {
  return offset - (/[\p{ID_Continue}$]*$/u.exec(source.slice(0, offset))?.[0].length ?? 0);
}

/** An import statement of an earlier cell, reduced to one name of it. */
function onlyName(statement: string, name: string): string {
  const from = /from\s*(['"].*?['"])[^'"]*$/s.exec(statement)?.[1];
  if (from === undefined || /import\s+\w+\s*=/.test(statement)) return statement;
  if (new RegExp(`\\*\\s+as\\s+${name}\\b`).test(statement)) return `import * as ${name} from ${from};`;
  const renamed = new RegExp(`([\\w$]+)\\s+as\\s+${name}\\b`).exec(statement)?.[1];
  if (renamed !== undefined) return `import { ${renamed} as ${name} } from ${from};`;
  const isDefault = new RegExp(`^import\\s+(?:type\\s+)?${name}\\b`).test(statement);
  return isDefault ? `import ${name} from ${from};` : `import { ${name} } from ${from};`;
}

/** The generated last line exports; a second export of a name would clash. */
function withoutExports(source: string): string {
  return source.replace(
    /^(\s*)export\s+(?=const|let|var|function|class|async|enum|interface|type|abstract|namespace)/gm,
    "$1",
  );
}

function withoutImports(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^import /.test(line))
    .join("\n")
    .replace(/^\(alias\) (?=[\w$]+[(<])/, "function ")
    .replace(/^\(alias\) /, "");
}

function kindWord(kind: ts.ScriptElementKind): string {
  return kind === ts.ScriptElementKind.memberFunctionElement ? "method" : kind;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
