import ts from "#typescript";
import { declaredAt, type Declared } from "./declarations.js";

export interface Name extends Declared {
  /** How a neighbour imports the cell that declares it. */
  readonly module: string;
}

/** Which cell each name of the notebook comes from now. */
export class CellNames {
  private readonly names = new Map<string, Name>();

  add(module: string, declared: readonly Declared[]): void {
    const typesAsWell = new Set(declared.filter(({ kind }) => kind === "type").map(({ name }) => name));
    for (const one of declared) {
      // Only an import brings in a type and a value of one name.
      const kind = typesAsWell.has(one.name) ? "type" : one.kind;
      this.names.set(one.name, { name: one.name, kind, module });
    }
  }

  clear(): void {
    this.names.clear();
  }

  /**
   * The names that `source` can mean, but for those that it declares itself.
   *
   * @param prefix of a word that is being written: any name may begin so
   */
  usedIn(source: string, declared: readonly Declared[], prefix: string | null = null): Name[] {
    const own = new Set(declared.map(({ name }) => name));
    const words = new Set(source.match(/[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu));
    const isUsed = (name: string): boolean => words.has(name) || (prefix !== null && name.startsWith(prefix));
    return this.all().filter(({ name }) => !own.has(name) && isUsed(name));
  }

  all(): Name[] {
    return [...this.names.values()];
  }
}

/** Brings in names from the cells that declare them: a later cell that defines one anew changes nothing here. */
export function importingEach(names: readonly Name[]): string {
  return [...byModule(names)].map(([module, from]) => importing(from, module)).join(" ");
}

/** Brings in names through one module, for instance that of all cells: with the same imports, most of a program is used again. */
export function importing(names: readonly Name[], module: string): string {
  // An import cannot be assigned to: what may be is declared.
  const isVariable = ({ kind }: Name): boolean => kind === "let" || kind === "const";
  const imports = names.map((name) => (isVariable(name) ? `${name.name} as __nibble_${name.name}` : name.name));
  const variables = names
    .filter(isVariable)
    .map(({ kind, name }) => `declare ${kind} ${name}: typeof __nibble_${name};`);
  return [`import { ${imports.join(", ")} } from "${module}";`, ...variables].join(" ");
}

/** The module of all cells: each name as the latest one defines it. */
export function cellsModule(cells: readonly string[], names: readonly Name[]): string {
  const imports = cells.map((cell) => `import "${cell}";`);
  const exports = [...byModule(names)].map(
    ([module, from]) => `export { ${from.map(({ name }) => name).join(", ")} } from "${module}";`,
  );
  return [...imports, ...exports, "export {};"].join("\n");
}

function byModule(names: readonly Name[]): Map<string, Name[]> {
  const modules = new Map<string, Name[]>();
  for (const name of names) modules.set(name.module, [...(modules.get(name.module) ?? []), name]);
  return modules;
}

/** What a cell declares, also where it does not parse to its end. */
export function declaredIn(source: string): Declared[] {
  const file = ts.createSourceFile("cell.ts", `${source}\nexport {}`, ts.ScriptTarget.ESNext, true);
  return file.statements.flatMap(declaredAt);
}

/** The cell as a module that exports all of its names. */
export function cellModule(header: string, source: string, declared: readonly Declared[]): string {
  const names = [...new Set(declared.map(({ name }) => name))];
  return `${header}\n${withoutExports(source)}\nexport { ${names.join(", ")} };`;
}

/** The generated last line exports; a second export of a name would clash. */
function withoutExports(source: string): string {
  const file = ts.createSourceFile("cell.ts", source, ts.ScriptTarget.ESNext, true);
  let text = source;
  for (const statement of [...file.statements].reverse()) {
    if (!ts.canHaveModifiers(statement)) continue;
    for (const modifier of [...(ts.getModifiers(statement) ?? [])].reverse()) {
      if (modifier.kind !== ts.SyntaxKind.ExportKeyword && modifier.kind !== ts.SyntaxKind.DefaultKeyword) continue;
      const start = modifier.getStart(file);
      text = text.slice(0, start) + " ".repeat(modifier.end - start) + text.slice(modifier.end);
    }
  }
  return text;
}
