import ts from "#typescript";
import type { Completeness } from "./compiler.js";

const UNTERMINATED_TEMPLATE = 1160;
const UNTERMINATED_COMMENT = 1010;
const INDENT = "  ";

/** Whether a cell could run as it stands, needs more lines, or never will. */
export function completeness(source: string): Completeness {
  const problems = parseProblems(source);
  if (problems.length === 0) return { status: "complete", indent: "" };
  const end = source.trimEnd().length;
  const first = problems[0]!;
  const wantsMore = first.start >= end || first.code === UNTERMINATED_TEMPLATE || first.code === UNTERMINATED_COMMENT;
  return wantsMore ? { status: "incomplete", indent: nextIndent(source) } : { status: "invalid", indent: "" };
}

function parseProblems(source: string): { start: number; code: number }[] {
  const asModule: ts.CreateSourceFileOptions = {
    languageVersion: ts.ScriptTarget.ESNext,
    // Only in a module is `await` at the top level an await.
    setExternalModuleIndicator: (file) => {
      (file as unknown as { externalModuleIndicator: unknown }).externalModuleIndicator = file;
    },
  };
  const file = ts.createSourceFile("cell.ts", source, asModule);
  return (file as unknown as { parseDiagnostics: { start: number; code: number }[] }).parseDiagnostics;
}

function nextIndent(source: string): string {
  const line = source.trimEnd().split("\n").at(-1) ?? "";
  const own = /^\s*/.exec(line)![0];
  return /[{([]$/.test(line) ? own + INDENT : own;
}
