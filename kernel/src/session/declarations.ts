import ts from "#typescript";

/** A name that a cell defines for the cells after it. */
export interface Declared {
  readonly name: string;
  readonly kind: "const" | "let" | "function" | "class" | "enum" | "namespace" | "type" | "import";
}

/** True for a variable list whose names live as long as the notebook. `using` ends with its cell. */
export function isCellLevel(list: ts.VariableDeclarationList): boolean {
  const scope = list.flags & ts.NodeFlags.BlockScoped;
  if (scope === ts.NodeFlags.Using || scope === ts.NodeFlags.AwaitUsing) return false;
  if (scope !== 0) return ts.isVariableStatement(list.parent) && ts.isSourceFile(list.parent.parent);
  for (let at: ts.Node = list.parent; !ts.isSourceFile(at); at = at.parent) {
    if (ts.isFunctionLike(at) || ts.isClassStaticBlockDeclaration(at) || ts.isModuleBlock(at)) return false;
  }
  return true;
}

/** True where a declaration puts its name on the namespace object. */
export function isCellDeclaration(node: ts.Node): boolean {
  if (ts.isBindingElement(node)) return isCellDeclaration(node.parent.parent);
  if (ts.isVariableDeclaration(node)) return ts.isVariableDeclarationList(node.parent) && isCellLevel(node.parent);
  if (ts.isImportSpecifier(node) || ts.isImportClause(node) || ts.isNamespaceImport(node)) return true;
  return ts.isSourceFile(node.parent);
}

/** The names that a statement defines. A `declare` leaves nothing behind but types. */
export function declaredAt(node: ts.Statement): Declared[] {
  return isAmbient(node) ? namesOf(node).map(({ name }) => ({ name, kind: "type" })) : namesOf(node);
}

function namesOf(node: ts.Statement): Declared[] {
  if (ts.isImportDeclaration(node)) return importedNames(node);
  if (ts.isImportEqualsDeclaration(node)) return [{ name: node.name.text, kind: "import" }];
  if (ts.isFunctionDeclaration(node)) {
    return node.name && (node.body || isAmbient(node)) ? [{ name: node.name.text, kind: "function" }] : [];
  }
  if (ts.isClassDeclaration(node)) return node.name ? [{ name: node.name.text, kind: "class" }] : [];
  if (ts.isEnumDeclaration(node)) return [{ name: node.name.text, kind: "enum" }];
  if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))
    return [{ name: node.name.text, kind: "type" }];
  if (ts.isModuleDeclaration(node)) {
    const isGlobal = (node.flags & ts.NodeFlags.GlobalAugmentation) !== 0;
    return ts.isIdentifier(node.name) && !isGlobal ? [{ name: node.name.text, kind: "namespace" }] : [];
  }
  const found: Declared[] = [];
  const visit = (child: ts.Node): void => {
    if (ts.isFunctionLike(child) || ts.isClassLike(child)) return;
    if (ts.isVariableDeclarationList(child) && isCellLevel(child)) {
      const kind = (child.flags & ts.NodeFlags.Const) !== 0 ? "const" : "let";
      for (const declaration of child.declarations)
        found.push(...boundNames(declaration.name).map((name) => ({ name, kind }) as const));
    }
    ts.forEachChild(child, visit);
  };
  visit(node);
  return found;
}

function importedNames(node: ts.ImportDeclaration): Declared[] {
  const clause = node.importClause;
  if (clause === undefined) return [];
  const names: string[] = clause.name ? [clause.name.text] : [];
  if (clause.namedBindings) {
    if (ts.isNamespaceImport(clause.namedBindings)) names.push(clause.namedBindings.name.text);
    else names.push(...clause.namedBindings.elements.map((element) => element.name.text));
  }
  return names.map((name) => ({ name, kind: "import" }));
}

function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : boundNames(element.name)));
}

/** Statements that leave no code behind. */
export function isErased(node: ts.Node): boolean {
  if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isEmptyStatement(node)) return true;
  if (ts.isFunctionDeclaration(node) && node.body === undefined) return true;
  if (ts.isModuleDeclaration(node) && !hasCode(node)) return true;
  return isAmbient(node);
}

function isAmbient(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((it) => it.kind === ts.SyntaxKind.DeclareKeyword)
  );
}

function hasCode(node: ts.ModuleDeclaration): boolean {
  if (node.body === undefined) return false;
  if (ts.isModuleDeclaration(node.body)) return hasCode(node.body);
  return ts.isModuleBlock(node.body) && node.body.statements.some((statement) => !isErased(statement));
}
