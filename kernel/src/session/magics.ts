import { KERNEL_GLOBALS_TYPES } from "./kernel-globals.js";

/** Cells of one line that speak to the kernel itself. Each gives a page of text. */
const magics: Readonly<Record<string, { readonly says: string; readonly page: () => string }>> = {
  help: { says: "shows this page", page: help },
};

export type Magic = { readonly page: string } | { readonly problem: string };

/** Null where the cell is TypeScript. */
export function readMagic(source: string): Magic | null {
  const name = /^%(\w+)\s*$/.exec(source.trim())?.[1];
  if (name === undefined) return null;
  const magic = Object.hasOwn(magics, name) ? magics[name] : undefined;
  if (magic !== undefined) return { page: magic.page() };
  return {
    problem: `[magic] %${name} is unknown. Supported: ${Object.keys(magics)
      .map((known) => `%${known}`)
      .join(", ")}.`,
  };
}

function help(): string {
  const entries = [...KERNEL_GLOBALS_TYPES.matchAll(/\/\*\* (.*) \*\/\ndeclare (?:function|const) (.*?)(?: \{)?;?$/gm)];
  return [
    "A cell is TypeScript: imports and `await` stand anywhere, the last expression is the result,",
    "names may be declared again in a later cell. The stop button ends a cell and keeps every variable.",
    "",
    "Without an import:",
    ...entries.map(([, says, signature]) => `  ${signature}\n      ${says}`),
    "",
    "Lines to the kernel:",
    ...Object.entries(magics).map(([name, { says }]) => `  %${name}  ${says}`),
    "",
    'The library: import { loadModel, quantize, tune, train, perplexity, comparePca, memory, data } from "nibble-lab";',
  ].join("\n");
}
