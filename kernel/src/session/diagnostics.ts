import ts from "#typescript";

/** A mistake that the types of a cell show before it runs. */
export interface TypeProblem {
  readonly code: number;
  readonly message: string;
  /** UTF-16 units of the cell. */
  readonly offset: number;
  readonly length: number;
  /** False where running may still be right. */
  readonly blocks: boolean;
}

/** `any` where a type was not written or cannot be found is no mistake in a notebook. */
const IMPLICIT_ANY = { from: 7000, to: 7099 };
/** Names and modules whose types are not installed, or live in another library: what runs knows better. */
const MISSING_TYPES = new Set([
  2307, 2306, 2732, 2882, 2580, 2581, 2582, 2583, 2584, 2591, 2592, 2593, 2688, 2792, 2868,
]);
/** A comma whose left side does nothing: it runs as it says, which is often not what was meant. */
const IDLE_COMMA = 2695;
/** Unknown names: inside a function a later cell may still define them. */
const UNKNOWN_NAME = new Set([2304, 2552, 18004]);

/** @param shift what stands before the cell in its file */
export function typeProblem(diagnostic: ts.Diagnostic, shift: number): TypeProblem | null {
  const { code, file, start, length, category, messageText } = diagnostic;
  if (category !== ts.DiagnosticCategory.Error || file === undefined || start === undefined || start < shift)
    return null;
  if ((code >= IMPLICIT_ANY.from && code <= IMPLICIT_ANY.to) || MISSING_TYPES.has(code)) return null;
  const message = ts.flattenDiagnosticMessageText(messageText, "\n");
  const blocks = code !== IDLE_COMMA && !(UNKNOWN_NAME.has(code) && mayBeUnknown(file, start));
  return { code, message, offset: start - shift, length: length ?? 1, blocks };
}

/** Inside a function, which may run after the name is there, and behind `typeof`, which asks. */
function mayBeUnknown(file: ts.SourceFile, position: number): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (found || position < node.pos || position >= node.end) return;
    if (ts.isFunctionLike(node) || ts.isTypeOfExpression(node)) found = true;
    else ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}
