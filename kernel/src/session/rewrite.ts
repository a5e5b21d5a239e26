import ts from "#typescript";
import type { CellImport, CompiledCell } from "../executor/messages.js";
import { applyEdits, Edits } from "./edits.js";
import { declaredAt, isCellLevel, isErased, type Declared } from "./declarations.js";
import { ReferenceRewriter } from "./references.js";
import { readImport } from "./imports.js";

/** Names that the program text of a cell gets from the executor. No user writes them by accident. */
export const PARAMETERS = "cell$, import$, meta$, await$, each$, require, __filename, __dirname";
const CELL = "cell.ts";

export interface RewrittenCell {
  readonly compiled: CompiledCell;
  /** What later cells can name. */
  readonly declared: readonly Declared[];
}

/** A cell that does not parse: `offset` and `length` in UTF-16 units of its source. */
export class CellSyntaxError extends Error {
  override readonly name = "SyntaxError";
  constructor(
    message: string,
    readonly offset: number,
    readonly length: number,
  ) {
    super(message);
  }
}

const COMPILER: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  isolatedModules: true,
  sourceMap: true,
  noLib: true,
  noResolve: true,
  types: [],
};

/**
 * Turns a cell into a function of its namespace object: each top-level name becomes a property of `cell$`, static imports are
 * taken out, the last expression is returned. Line breaks stay where they are.
 *
 * @param known names that earlier cells defined
 * @param globals names that are left alone
 * @throws {CellSyntaxError} for text that does not parse
 */
export function rewriteCell(source: string, known: ReadonlySet<string>, globals: ReadonlySet<string>): RewrittenCell {
  const text = wholeObjectLiteral(source) ? `(${source}\n)` : source;
  const shift = text === source ? 0 : 1;
  const { file, checker, program } = bind(text);
  const problem = program.getSyntacticDiagnostics(file)[0] ?? misuse(program, file);
  if (problem !== undefined) {
    const message = ts.flattenDiagnosticMessageText(problem.messageText, "\n");
    throw new CellSyntaxError(message, Math.max(0, (problem.start ?? 0) - shift), problem.length ?? 1);
  }
  const cell = new CellRewriter(file, checker, text, known, globals);
  cell.rewrite();
  const prefix = `cell$$ = ${cell.isAsync ? "async " : ""}function (${PARAMETERS}) { "use strict"; ${cell.hoisted.join(" ")} `;
  const edits = cell.edits.sorted();
  const emitted = ts.transpileModule(`${prefix}${applyEdits(text, edits)}\n};`, {
    fileName: CELL,
    compilerOptions: { ...COMPILER, noLib: false },
  });
  const head = "(function () { let cell$$; ";
  const code = `${head}${emitted.outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "")}\nreturn cell$$; })()`;
  const { mappings } = JSON.parse(emitted.sourceMapText!) as { mappings: string };
  const map = { mappings, edits, prefix: prefix.length, shift, head: head.length };
  return { compiled: { code, map, imports: cell.imports, isAsync: cell.isAsync }, declared: cell.declared };
}

/** `{ a: 1 }` alone is meant as an object, though it parses as a block. */
function wholeObjectLiteral(source: string): boolean {
  const trimmed = source.trim();
  if (!trimmed.startsWith("{") || !trimmed.endsWith("}")) return false;
  const file = ts.createSourceFile(CELL, `(${source}\n)`, ts.ScriptTarget.ESNext);
  return (file as unknown as { parseDiagnostics: unknown[] }).parseDiagnostics.length === 0;
}

function bind(source: string): { file: ts.SourceFile; checker: ts.TypeChecker; program: ts.Program } {
  // Only in a module is `await (x)` an await and not a call.
  const file = ts.createSourceFile(CELL, `${source}\nexport {}`, ts.ScriptTarget.ESNext, true);
  const host: ts.CompilerHost = {
    getSourceFile: (name) => (name === CELL ? file : undefined),
    getDefaultLibFileName: () => "lib.d.ts",
    writeFile: () => undefined,
    getCurrentDirectory: () => "",
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => "\n",
    fileExists: (name) => name === CELL,
    readFile: () => undefined,
  };
  const program = ts.createProgram({ rootNames: [CELL], options: COMPILER, host });
  return { file, program, checker: program.getTypeChecker() };
}

/** Mistakes that only names show: a name declared twice in one cell. */
function misuse(program: ts.Program, file: ts.SourceFile): ts.Diagnostic | undefined {
  const REDECLARED = 2451;
  const internal = file as unknown as { bindDiagnostics?: ts.Diagnostic[] };
  return internal.bindDiagnostics?.find((diagnostic) => diagnostic.code === REDECLARED);
}

class CellRewriter {
  readonly edits: Edits;
  readonly imports: CellImport[] = [];
  readonly declared: Declared[] = [];
  readonly hoisted: string[] = [];
  isAsync = false;
  private readonly references: ReferenceRewriter;

  constructor(
    private readonly file: ts.SourceFile,
    checker: ts.TypeChecker,
    source: string,
    known: ReadonlySet<string>,
    globals: ReadonlySet<string>,
  ) {
    this.edits = new Edits(source);
    this.references = new ReferenceRewriter(this.edits, checker, known, globals);
  }

  rewrite(): void {
    const statements = this.file.statements.slice(0, -1); // without our own `export {}`
    const last = statements.filter((statement) => !isErased(statement)).at(-1);
    for (const statement of statements) {
      if (statement === last && ts.isExpressionStatement(statement)) this.returnValue(statement.expression);
      this.statement(statement);
    }
  }

  private statement(node: ts.Statement): void {
    this.declared.push(...declaredAt(node));
    if (isErased(node)) return;
    if (ts.isImportEqualsDeclaration(node) && !ts.isExternalModuleReference(node.moduleReference)) {
      // The alias of a namespace; one of types alone leaves nothing to point to.
      const path = node.moduleReference.getText(this.file).replace(/\s*\.\s*/g, "?.");
      const text = node.isTypeOnly ? "" : `cell$.${node.name.text} = cell$.${path};`;
      return this.edits.replace(node.getStart(this.file), node.end, text);
    }
    if (ts.isImportDeclaration(node) || ts.isImportEqualsDeclaration(node) || ts.isExportDeclaration(node)) {
      const found = readImport(node);
      if (found !== null) this.imports.push(found);
      this.edits.blank(node.getStart(this.file), node.end);
      return;
    }
    if (ts.isExportAssignment(node)) {
      this.edits.replace(node.getStart(this.file), node.expression.getStart(this.file), "return (");
      this.edits.insert(node.expression.end, ")");
      this.visit(node.expression);
      return;
    }
    this.dropExport(node);
    if (ts.isFunctionDeclaration(node) && node.name) this.hoisted.push(`cell$.${node.name.text} = ${node.name.text};`);
    if ((ts.isClassDeclaration(node) || ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node)) && node.name) {
      this.edits.insert(node.end, `;cell$.${node.name.text} = ${node.name.text};`);
    }
    this.visit(node);
  }

  private returnValue(expression: ts.Expression): void {
    this.edits.insert(expression.getStart(this.file), "return (");
    this.edits.insert(expression.end, ")");
  }

  private dropExport(node: ts.Statement): void {
    if (!ts.canHaveModifiers(node)) return;
    for (const modifier of ts.getModifiers(node) ?? []) {
      const isExport = modifier.kind === ts.SyntaxKind.ExportKeyword || modifier.kind === ts.SyntaxKind.DefaultKeyword;
      if (isExport) this.edits.blank(modifier.getStart(this.file), modifier.end);
    }
  }

  private readonly visit = (node: ts.Node): void => {
    if (isErased(node)) return;
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
    if (this.isTopLevelAwait(node)) this.guardAwait(node);
    if (ts.isVariableDeclarationList(node) && isCellLevel(node)) return this.variables(node);
    if (ts.isIdentifier(node)) return this.references.rewrite(node, this.file);
    if (node.kind === ts.SyntaxKind.ImportKeyword && ts.isCallExpression(node.parent)) {
      return this.edits.replace(node.getStart(this.file), node.end, "import$");
    }
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
      return this.edits.replace(node.getStart(this.file), node.end, "meta$");
    }
    ts.forEachChild(node, this.visit);
  };

  /** An interrupt ends what a cell waits for: `await x` → `await await$(x)`, `for await (… of x)` → `of each$(x)`. */
  private guardAwait(node: ts.Node): void {
    this.isAsync = true;
    if (!ts.isAwaitExpression(node) && !ts.isForOfStatement(node)) return;
    this.edits.insert(node.expression.getStart(this.file), ts.isAwaitExpression(node) ? "await$(" : "each$(");
    this.edits.insert(node.expression.end, ")");
  }

  /** `const { a, b = 1 } = o, c: T = 2` → `void ({ a: cell$.a, b: cell$.b = 1 } = o, cell$.c = 2)`. */
  private variables(list: ts.VariableDeclarationList): void {
    const first = list.declarations[0];
    if (first === undefined) return;
    const isStatement = ts.isVariableStatement(list.parent);
    const wrap = isStatement && list.declarations.some((declaration) => !ts.isIdentifier(declaration.name));
    this.edits.replace(list.getStart(this.file), first.getStart(this.file), wrap ? "void (" : "");
    const isVar = (list.flags & ts.NodeFlags.BlockScoped) === 0;
    for (const declaration of list.declarations) this.variable(declaration, isStatement, isVar);
    if (wrap) this.edits.insert(list.end, ")");
  }

  private variable(node: ts.VariableDeclaration, isStatement: boolean, isVar: boolean): void {
    this.bindingName(node.name);
    const afterType = node.type?.end ?? node.exclamationToken?.end ?? node.name.end;
    if (afterType > node.name.end) this.edits.blank(node.name.end, afterType);
    if (node.initializer === undefined) {
      if (!ts.isIdentifier(node.name) || !isStatement) return;
      return this.edits.insert(node.end, isVar ? ` = cell$.${node.name.text}` : " = void 0");
    }
    // A function that is assigned to a property gets no name by itself.
    if (ts.isIdentifier(node.name) && isAnonymousFunction(node.initializer)) {
      this.edits.insert(node.initializer.getStart(this.file), `({ ${node.name.text}: `);
      this.visit(node.initializer);
      this.edits.insert(node.initializer.end, ` }).${node.name.text}`);
    } else this.visit(node.initializer);
  }

  private bindingName(name: ts.BindingName): void {
    if (ts.isIdentifier(name)) return this.edits.replace(name.getStart(this.file), name.end, `cell$.${name.text}`);
    for (const element of name.elements) {
      if (ts.isOmittedExpression(element)) continue;
      const isShorthand = ts.isObjectBindingPattern(name) && !element.propertyName && !element.dotDotDotToken;
      if (isShorthand && ts.isIdentifier(element.name)) {
        this.edits.replace(
          element.name.getStart(this.file),
          element.name.end,
          `${element.name.text}: cell$.${element.name.text}`,
        );
      } else this.bindingName(element.name);
      if (element.propertyName && ts.isComputedPropertyName(element.propertyName)) this.visit(element.propertyName);
      if (element.initializer) this.visit(element.initializer);
    }
  }

  private isTopLevelAwait(node: ts.Node): boolean {
    const isAwait =
      ts.isAwaitExpression(node) ||
      (ts.isForOfStatement(node) && node.awaitModifier !== undefined) ||
      (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.AwaitUsing) === ts.NodeFlags.AwaitUsing);
    if (!isAwait) return false;
    for (let at: ts.Node = node.parent, from: ts.Node = node; !ts.isSourceFile(at); from = at, at = at.parent) {
      if (ts.isFunctionLike(at) || ts.isClassStaticBlockDeclaration(at)) return false;
      if (ts.isPropertyDeclaration(at) && at.initializer === from) return false;
    }
    return true;
  }
}

function isAnonymousFunction(node: ts.Expression): boolean {
  return ts.isArrowFunction(node) || ((ts.isFunctionExpression(node) || ts.isClassExpression(node)) && !node.name);
}
