import { register } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { CellImport } from "./messages.js";
import { readJson, TSLAB } from "./require.js";
import { sourcePath, TYPESCRIPT } from "./typescript-paths.js";

/** Specifiers that always mean the kernel's own copy, so that events and memory are shared with it. */
const OWN = /^(nibble-lab|@nibble-lab\/native)(\/|$)/;

export type Namespace = Record<string, unknown>;

/** Loads modules for cells: packages and files are looked up from the folder of the notebook. */
export class Modules {
  constructor(private readonly ownLoaded: (specifier: string) => Promise<void>) {}

  /** Dynamic `import()` of cells. Always a fresh look-up, so that `process.chdir` counts. */
  readonly load = async (specifier: string, options?: ImportCallOptions): Promise<Namespace> => {
    if (OWN.test(specifier)) {
      const module = (await import(specifier)) as Namespace;
      await this.ownLoaded(specifier);
      return module;
    }
    return (await import(resolve(specifier), options)) as Namespace;
  };

  /** Puts the names of a static import onto the namespace object. */
  async bind(target: Namespace, wanted: CellImport): Promise<void> {
    const { specifier, attributes, bindings } = wanted;
    const isJson = attributes["type"] === "json" || specifier.endsWith(".json");
    const module = isJson ? { default: readJson(specifier) } : await this.load(specifier);
    for (const { local, exported } of bindings) define(target, local, module, exported, specifier);
  }
}

export function cellMeta(): { url: string; dirname: string; filename: string; resolve: (specifier: string) => string } {
  const filename = join(process.cwd(), "cell.ts");
  return { url: pathToFileURL(filename).href, dirname: process.cwd(), filename, resolve };
}

function resolve(specifier: string): string {
  if (specifier === "tslab") return TSLAB;
  const url = new URL(import.meta.resolve(specifier, pathToFileURL(join(process.cwd(), "cell.ts")).href));
  if (url.protocol !== "file:") return url.href;
  const path = sourcePath(fileURLToPath(url));
  if (!TYPESCRIPT.test(path)) return url.href;
  loadTypeScript();
  // Only now can the loader say which version of the file is meant.
  return import.meta.resolve(pathToFileURL(path).href);
}

let isTypeScriptLoaded = false;

/** Node learns to load TypeScript files when the first is imported: the compiler costs memory. */
function loadTypeScript(): void {
  if (isTypeScriptLoaded) return;
  isTypeScriptLoaded = true;
  process.setSourceMapsEnabled(true);
  register("./typescript-loader.js", import.meta.url);
}

function define(target: Namespace, local: string, module: Namespace, exported: string, specifier: string): void {
  // Deleting would make the namespace object slow for good: only where it must.
  if (Object.getOwnPropertyDescriptor(target, local)?.get !== undefined) replace(target, local, undefined);
  if (exported === "*") {
    target[local] = module;
  } else if (exported in module) {
    target[local] = module[exported];
  } else if (isRecord(module["default"]) && exported in module["default"]) {
    target[local] = module["default"][exported]; // CommonJS: names that the lexer of Node did not see
  } else {
    // It may be a type, which leaves nothing to import: only its use as a value is a mistake.
    const complain = (): never => {
      const names = Object.keys(module).filter((name) => name !== "default");
      throw new SyntaxError(`"${specifier}" exports no "${exported}". It exports: ${names.join(", ")}.`);
    };
    Object.defineProperty(target, local, {
      get: complain,
      set: (value: unknown) => replace(target, local, value),
      configurable: true,
      enumerable: true,
    });
  }
}

function replace(target: Namespace, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: true });
}

function isRecord(value: unknown): value is Namespace {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
