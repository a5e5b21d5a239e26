import { join } from "node:path";
import ts from "#typescript";
import { CellNames, importingEach, cellModule, cellsModule, declaredIn, importing, type Name } from "./cell-names.js";
import { isMember, wordBefore } from "./cursor.js";
import type { Declared } from "./declarations.js";
import { typeProblem, type TypeProblem } from "./diagnostics.js";
import { KERNEL_GLOBALS_TYPES } from "./kernel-globals.js";
import { languageHost, type HeldFile } from "./language-host.js";
import type { Completion, Completions, Inspection } from "./language.js";

const MOST_ENTRIES = 500;
/** Signatures cost time: only what is seen first gets one. */
const SIGNATURES = 100;
const UNCHECKED = /^\s*\/\/\s*@ts-nocheck\b/;
const AUGMENTS = /\bdeclare\s+(global|module)\b/;
/** What nearly every notebook uses: its types are read and resolved before the first question. */
const WARM_UP = `import "nibble-lab";
for (const name of [1, 2].map((n) => \`\${n}\`)) console.log(name, Math.max(1, 2));
process.stdout.write(await Promise.resolve("") + JSON.stringify({}));`;

/**
 * TypeScript's language service over the cells of a notebook. Each executed cell is a module of its own, and the next one
 * sees its names through a generated first line: a name that is defined again is taken from the latest cell.
 */
export class LanguageService {
  private readonly files = new Map<string, HeldFile>();
  private readonly names = new CellNames();
  private readonly globalsFile: string;
  private readonly draftFile: string;
  /** Imports every cell: with the same root files each time, most of a program is used again. */
  private readonly cellsFile: string;
  private readonly cells = new Set<string>();
  private readonly service: ts.LanguageService;
  private version = 0;

  constructor(private readonly folder: string) {
    this.globalsFile = join(folder, "__nibble_globals.d.ts");
    this.draftFile = join(folder, "__nibble_draft.ts");
    this.cellsFile = join(folder, "__nibble_cells.ts");
    this.write(this.globalsFile, KERNEL_GLOBALS_TYPES);
    this.forget();
    const roots = [this.globalsFile, this.cellsFile, this.draftFile];
    this.service = ts.createLanguageService(languageHost(folder, roots, this.files), ts.createDocumentRegistry());
  }

  warm(): void {
    this.check(WARM_UP);
    this.complete("", 0);
  }

  addCell(count: number, source: string, declared: readonly Declared[]): void {
    if (declared.length === 0 && !AUGMENTS.test(source)) return; // nothing that a later cell could see
    const name = `__nibble_cell_${count}`;
    const header = importingEach(this.names.usedIn(source, declared));
    this.write(join(this.folder, `${name}.ts`), cellModule(header, source, declared));
    this.names.add(`./${name}.js`, declared);
    this.cells.add(name);
    const cells = [...this.cells].map((cell) => `./${cell}.js`);
    this.write(this.cellsFile, cellsModule(cells, this.names.all()));
  }

  forget(): void {
    for (const cell of this.cells) this.files.delete(join(this.folder, `${cell}.ts`));
    this.cells.clear();
    this.names.clear();
    for (const file of [this.cellsFile, this.draftFile]) this.write(file, "export {};");
  }

  /** Mistakes in the types of a cell. One that does not parse has none: that is told by who compiles it. */
  check(source: string): TypeProblem[] {
    if (UNCHECKED.test(source)) return [];
    const shift = this.draft(source, this.names.usedIn(source, declaredIn(source)));
    if (this.service.getSyntacticDiagnostics(this.draftFile).length > 0) return [];
    return this.service
      .getSemanticDiagnostics(this.draftFile)
      .flatMap((diagnostic) => typeProblem(diagnostic, shift) ?? [])
      .filter(({ offset }) => offset <= source.length);
  }

  complete(source: string, offset: number): Completions {
    const word = wordBefore(source, offset);
    const prefix = isMember(source, offset) ? null : word;
    const shift = this.draft(source, this.names.usedIn(source, declaredIn(source), prefix));
    const found = this.service.getCompletionsAtPosition(this.draftFile, offset + shift, {
      includeCompletionsForModuleExports: false,
      includeSymbol: true,
      importModuleSpecifierEnding: "minimal",
    });
    // Inside a string not the word is replaced but what the service says: a part of a path, all of a text.
    const span = found?.optionalReplacementSpan ?? found?.entries[0]?.replacementSpan;
    const start = span !== undefined && span.start - shift <= offset ? span.start - shift : offset - word.length;
    const typed = source.slice(start, offset);
    const entries = (found?.entries ?? []).filter((entry) => entry.name.startsWith(typed) && !isOurs(entry.name));
    const sorted = entries
      .sort((a, b) => compare(a.sortText, b.sortText) || compare(a.name, b.name))
      .slice(0, MOST_ENTRIES);
    return { start, end: offset, entries: sorted.map((entry, index) => this.completion(entry, index)) };
  }

  inspect(source: string, offset: number): Inspection | null {
    const shift = this.draft(source, this.names.usedIn(source, declaredIn(source)));
    const quickInfo = (at: number) => this.service.getQuickInfoAtPosition(this.draftFile, at + shift);
    const info = quickInfo(offset) ?? (offset > 0 ? quickInfo(offset - 1) : undefined);
    if (info === undefined) return null;
    const described = withoutImports(ts.displayPartsToString(info.displayParts));
    const signature = withOwnNames(described || this.typeAt(info.textSpan.start));
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

  /** For names that quick info says nothing about: what is imported from JSON. */
  private typeAt(position: number): string {
    const program = this.service.getProgram()!;
    const file = program.getSourceFile(this.draftFile)!;
    const node = internal.getTouchingPropertyName(file, position);
    const checker = program.getTypeChecker();
    return `const ${node.getText(file)}: ${checker.typeToString(checker.getTypeAtLocation(node))}`;
  }

  private completion({ name, kind, symbol }: ts.CompletionEntry, index: number): Completion {
    const isCallable =
      kind === ts.ScriptElementKind.functionElement || kind === ts.ScriptElementKind.memberFunctionElement;
    const signature = isCallable && symbol !== undefined && index < SIGNATURES ? this.signature(symbol) : "";
    return { text: name, type: kindWord(kind), signature };
  }

  /** Parameters and result of a function, as the types say; the service itself would look for the name anew. */
  private signature(symbol: ts.Symbol): string {
    const checker = this.service.getProgram()!.getTypeChecker();
    const target = (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
    const [first, ...more] = checker.getTypeOfSymbol(target).getCallSignatures();
    if (first === undefined) return "";
    const text = withOwnNames(checker.signatureToString(first));
    return more.length === 0 ? text : `${text} (+${more.length} overload${more.length === 1 ? "" : "s"})`;
  }

  /** Puts the cell being written in its place; the result is how far it moved. */
  private draft(source: string, names: readonly Name[]): number {
    const header = importing(names, "./__nibble_cells.js");
    this.write(this.draftFile, `${header}\n${source}\nexport {};`);
    return header.length + 1;
  }

  private write(file: string, text: string): void {
    if (this.files.get(file)?.text !== text) this.files.set(file, { text, version: ++this.version });
  }
}

/** What keeps the names of the kernel's own types apart from those of the user. */
const OWN_NAMES = /\bNibble(?=[A-Z]\w)/g;
const internal = ts as unknown as { getTouchingPropertyName(file: ts.SourceFile, position: number): ts.Node };

/** Names that only the generated lines use. */
function isOurs(name: string): boolean {
  return name.startsWith("__nibble_") || name.startsWith("Nibble");
}

function withoutImports(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^import /.test(line))
    .join("\n")
    .replace(/^\(alias\) (?=[\w$]+[(<])/, "function ")
    .replace(/^\(alias\) /, "");
}

/** Types of the kernel's globals as `%help` names them. */
function withOwnNames(text: string): string {
  return text.replace(OWN_NAMES, "");
}

function kindWord(kind: ts.ScriptElementKind): string {
  return kind === ts.ScriptElementKind.memberFunctionElement ? "method" : kind;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
