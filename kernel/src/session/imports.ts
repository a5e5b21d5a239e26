import ts from "#typescript";
import type { CellImport } from "../executor/messages.js";

type ImportLike = ts.ImportDeclaration | ts.ImportEqualsDeclaration | ts.ExportDeclaration;

/** What a static import or re-export of a cell brings in; null where it only speaks of types or of nothing. */
export function readImport(node: ImportLike): CellImport | null {
  if (ts.isImportEqualsDeclaration(node)) return readImportEquals(node);
  const specifier = node.moduleSpecifier;
  if (specifier === undefined || !ts.isStringLiteral(specifier)) return null;
  const bindings = ts.isImportDeclaration(node) ? importBindings(node) : exportBindings(node);
  if (bindings === null) return null;
  return { specifier: specifier.text, attributes: attributesOf(node.attributes), bindings };
}

type Bindings = { local: string; exported: string }[];

function importBindings(node: ts.ImportDeclaration): Bindings | null {
  const clause = node.importClause;
  if (clause === undefined) return [];
  if (clause.isTypeOnly) return null;
  const bindings: Bindings = clause.name ? [{ local: clause.name.text, exported: "default" }] : [];
  const named = clause.namedBindings;
  if (named && ts.isNamespaceImport(named)) bindings.push({ local: named.name.text, exported: "*" });
  else if (named) {
    for (const element of named.elements.filter((it) => !it.isTypeOnly)) {
      bindings.push({ local: element.name.text, exported: (element.propertyName ?? element.name).text });
    }
  }
  return bindings;
}

function exportBindings(node: ts.ExportDeclaration): Bindings | null {
  if (node.isTypeOnly) return null;
  const clause = node.exportClause;
  if (clause === undefined) return [];
  if (ts.isNamespaceExport(clause)) return [{ local: clause.name.text, exported: "*" }];
  return clause.elements
    .filter((it) => !it.isTypeOnly)
    .map((it) => ({ local: it.name.text, exported: (it.propertyName ?? it.name).text }));
}

function readImportEquals(node: ts.ImportEqualsDeclaration): CellImport | null {
  const reference = node.moduleReference;
  if (node.isTypeOnly || !ts.isExternalModuleReference(reference) || !ts.isStringLiteral(reference.expression))
    return null;
  return {
    specifier: reference.expression.text,
    attributes: {},
    bindings: [{ local: node.name.text, exported: "default" }],
  };
}

function attributesOf(attributes: ts.ImportAttributes | undefined): Record<string, string> {
  const entries = (attributes?.elements ?? []).flatMap((it) =>
    ts.isStringLiteral(it.value) ? [[it.name.text, it.value.text] as const] : [],
  );
  return Object.fromEntries(entries);
}
