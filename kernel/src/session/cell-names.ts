import ts from "#typescript";
import { declaredAt, type Declared } from "./declarations.js";

/** Which cell each name of the notebook comes from now, as one line of TypeScript for the cells after it. */
export class CellNames {
  private readonly names = new Map<string, Declared & { readonly module: string }>();

  /** @param module how a neighbour imports the cell */
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

  /** Brings in the names of earlier cells that `source` mentions, but for those that it declares itself. */
  headerFor(source: string, declared: readonly Declared[]): string {
    const own = new Set(declared.map(({ name }) => name));
    const words = new Set(source.match(/[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu));
    return this.header((name) => words.has(name) && !own.has(name));
  }

  /** Brings in every name of earlier cells, but for those that the cell declares itself. */
  fullHeader(declared: readonly Declared[]): string {
    const own = new Set(declared.map(({ name }) => name));
    return this.header((name) => !own.has(name));
  }

  private header(isWanted: (name: string) => boolean): string {
    const parts: string[] = [];
    const byModule = new Map<string, string[]>();
    for (const { name, kind, module } of this.names.values()) {
      if (!isWanted(name)) continue;
      // An import cannot be assigned to: what may be is declared.
      if (kind === "let" || kind === "const")
        parts.push(`declare ${kind} ${name}: typeof import("${module}").${name};`);
      else byModule.set(module, [...(byModule.get(module) ?? []), name]);
    }
    for (const [module, names] of byModule) parts.push(`import { ${names.join(", ")} } from "${module}";`);
    return parts.join(" ");
  }
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
