import { KERNEL_GLOBALS_TYPES } from "./kernel-globals.js";
import { typeModes, type TypeMode } from "./type-check.js";

/** How a cell is read: with types, without them, or by the converter of tslab. */
export type CellLanguage = "ts" | "js" | "tslab";

/** What a cell is to the kernel: program text, or a word to the kernel itself. */
export type CellKind =
  | { readonly kind: "code"; readonly language: CellLanguage; readonly source: string; readonly timed: boolean }
  | { readonly kind: "page"; readonly page: string }
  | { readonly kind: "types"; readonly mode: TypeMode | null }
  | { readonly kind: "reset" }
  | { readonly kind: "problem"; readonly problem: string };

interface Magic {
  readonly says: string;
  /** `rest`: what stands behind the name on its line; `body`: the whole cell with the magic's own characters blank. */
  readonly read: (rest: string, body: string) => CellKind;
}

/** No TypeScript begins with a percent sign. */
const magics: Readonly<Record<string, Magic>> = {
  "%help": { says: "shows this page", read: () => ({ kind: "page", page: help() }) },
  "%types": {
    says: "error | warn | off: whether a cell with a mistake in its types runs; without a word, says which",
    read: readTypes,
  },
  "%reset": { says: "forgets every variable, import and model", read: () => ({ kind: "reset" }) },
  "%time": { says: "in front of a cell: says how long it took", read: (_, body) => ({ ...code(body), timed: true }) },
  "%%js": { says: "in front of a cell: JavaScript, no types are checked", read: (_, body) => code(body, "js") },
  "%%tslab": { says: "in front of a cell: runs it through tslab's converter", read: (_, body) => code(body, "tslab") },
};

export function readCell(source: string): CellKind {
  const found = /^(\s*)(%%?\w*)[ \t]*([^\n]*)/.exec(source);
  if (found === null) return code(source);
  const [, before, name, rest] = found as unknown as [string, string, string, string];
  const magic = Object.hasOwn(magics, name) ? magics[name] : undefined;
  if (magic !== undefined) {
    const body = before + " ".repeat(name.length) + source.slice(before.length + name.length);
    return magic.read(rest.trim(), body);
  }
  const supported = Object.keys(magics).join(", ");
  return { kind: "problem", problem: `[magic] ${name} is unknown. Supported: ${supported}. %help says what they do.` };
}

function code(source: string, language: CellLanguage = "ts"): CellKind & { kind: "code" } {
  // A hash bang is a comment, but only at the very start of a file.
  return { kind: "code", language, source: source.replace(/^#!/, "//"), timed: false };
}

function readTypes(word: string): CellKind {
  if (word === "") return { kind: "types", mode: null };
  const mode = typeModes.find((known) => known === word);
  if (mode !== undefined) return { kind: "types", mode };
  return { kind: "problem", problem: `[magic] %types ${word} is unknown. Supported: ${typeModes.join(", ")}.` };
}

function help(): string {
  const entries = [...KERNEL_GLOBALS_TYPES.matchAll(/\/\*\* (.*) \*\/\ndeclare (?:function|const) (.*?)(?: \{)?;?$/gm)];
  const width = Math.max(...Object.keys(magics).map((name) => name.length));
  return [
    "A cell is TypeScript: imports and `await` stand anywhere, the last expression is the result,",
    "names may be declared again in a later cell. The stop button ends a cell and keeps every variable.",
    "",
    "Without an import:",
    ...entries.map(([, says, signature]) => `  ${signature!.replace(/\bNibble(?=[A-Z])/g, "")}\n      ${says}`),
    "",
    "Lines to the kernel:",
    ...Object.entries(magics).map(([name, { says }]) => `  ${name.padEnd(width)}  ${says}`),
    "",
    'The library: import { loadModel, quantize, tune, train, perplexity, comparePca, memory, data } from "nibble-lab";',
  ].join("\n");
}
