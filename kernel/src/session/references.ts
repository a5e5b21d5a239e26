import ts from "#typescript";
import { isCellDeclaration, isErased } from "./declarations.js";
import type { Edits } from "./edits.js";

/** Rewrites the names that a cell uses. */
export class ReferenceRewriter {
  constructor(
    private readonly edits: Edits,
    private readonly checker: ts.TypeChecker,
    private readonly known: ReadonlySet<string>,
    private readonly globals: ReadonlySet<string>,
  ) {}

  rewrite(node: ts.Identifier, file: ts.SourceFile): void {
    const parent = node.parent;
    if (!isReference(node, parent)) return;
    const shorthand = ts.isShorthandPropertyAssignment(parent) && parent.name === node;
    const symbol = shorthand
      ? this.checker.getShorthandAssignmentValueSymbol(parent)
      : this.checker.getSymbolAtLocation(node);
    const target = this.target(node, symbol);
    if (target === null) return;
    const start = node.getStart(file);
    if (shorthand) return this.edits.replace(start, node.end, `${node.text}: ${target}`);
    if (isCallee(node, parent)) {
      // `(0, f)()` keeps `this` undefined; the semicolon keeps the line before from calling it.
      return this.edits.replace(start, node.end, `${opensStatement(node, file) ? ";" : ""}(0, ${target})`);
    }
    const guard = target.startsWith("(") && opensStatement(node, file) ? ";" : "";
    this.edits.replace(start, node.end, guard + target);
  }

  /** Program text for a name, or null where it stays as it is. */
  private target(node: ts.Identifier, symbol: ts.Symbol | undefined): string | null {
    const name = node.text;
    const declarations = symbol?.declarations;
    if (declarations !== undefined && declarations.length > 0) {
      const own = declarations.find(isCellDeclaration);
      return own === undefined || isInside(node, own) ? null : `cell$.${name}`;
    }
    if (this.known.has(name)) return `cell$.${name}`;
    if (this.globals.has(name)) return null;
    if (isAssignmentTarget(node)) return `cell$.${name}`;
    // Perhaps a later cell defines it, before this runs.
    const otherwise = ts.isTypeOfExpression(node.parent) ? `(typeof ${name} === "undefined" ? void 0 : ${name})` : name;
    return `("${name}" in cell$ ? cell$.${name} : ${otherwise})`;
  }
}

/** A class, enum or namespace names itself inside its own body. */
function isInside(node: ts.Node, declaration: ts.Node): boolean {
  if (!ts.isClassDeclaration(declaration) && !ts.isEnumDeclaration(declaration) && !ts.isModuleDeclaration(declaration))
    return false;
  return node.pos >= declaration.pos && node.end <= declaration.end;
}

/** Names in an expression; not names of properties, labels, declarations. */
function isReference(node: ts.Identifier, parent: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isExportSpecifier(parent) || ts.isImportSpecifier(parent) || ts.isMetaProperty(parent)) return false;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent) || ts.isQualifiedName(parent))
    return false;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isPropertyAssignment(parent) || ts.isVariableDeclaration(parent) || ts.isParameter(parent))
    return parent.initializer === node;
  if (ts.isPropertyDeclaration(parent) || ts.isEnumMember(parent)) return parent.initializer === node;
  if (ts.isClassLike(parent) || ts.isFunctionLike(parent)) return ts.isArrowFunction(parent) && parent.body === node;
  if (ts.isEnumDeclaration(parent) || ts.isModuleDeclaration(parent)) return false;
  return true;
}

function isCallee(node: ts.Identifier, parent: ts.Node): boolean {
  return (
    (ts.isCallExpression(parent) && parent.expression === node) ||
    (ts.isTaggedTemplateExpression(parent) && parent.tag === node)
  );
}

/** True where a parenthesis put before the name would continue the statement before. */
function opensStatement(node: ts.Identifier, file: ts.SourceFile): boolean {
  const start = node.getStart(file);
  let at: ts.Node = node;
  while (at.parent.getStart(file) === start && !ts.isSourceFile(at.parent)) {
    at = at.parent;
    if (ts.isExpressionStatement(at)) break;
  }
  if (!ts.isExpressionStatement(at)) return false;
  const list = at.parent;
  if (ts.isSourceFile(list)) return !isResult(at, list);
  return ts.isBlock(list) || ts.isCaseOrDefaultClause(list) || ts.isModuleBlock(list);
}

/** The last statement is returned: it opens with `return (`. */
function isResult(statement: ts.ExpressionStatement, file: ts.SourceFile): boolean {
  const own = file.statements.slice(0, -1).filter((it) => !isErased(it));
  return own.at(-1) === statement;
}

const internal = ts as unknown as { isAssignmentTarget(node: ts.Node): boolean };

function isAssignmentTarget(node: ts.Identifier): boolean {
  return internal.isAssignmentTarget(node);
}
