import { findSourceMap, type SourceMapping } from "node:module";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import type { ErrorContent } from "../jupyter/protocol.js";
import type { CellRun } from "./messages.js";
import { CellPositions, type Position } from "./sourcemap.js";

const KERNEL = new URL("../", import.meta.url);
/** How many errors behind an error are shown, each with the line where it was made. */
const CAUSES_SHOWN = 3;
const ERRORS_SHOWN = 5;

/** Thrown in a cell that was interrupted. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  readonly code = "INTERRUPTED";
  constructor() {
    super("The cell was interrupted. Its variables are kept.");
  }
}

interface KnownCell {
  readonly source: string;
  readonly positions: CellPositions;
}
const cells = new Map<string, KnownCell>();

/** Name of a cell in stack traces. */
export function cellFile({ count, run, silent }: Pick<CellRun, "count" | "run" | "silent">): string {
  return silent ? `Cell[silent ${run}].ts` : `Cell[${count}].ts`;
}

export function rememberCell(file: string, cell: Pick<CellRun, "source" | "compiled">): void {
  cells.set(file, { source: cell.source, positions: new CellPositions(cell.source, cell.compiled.map) });
}

/** Which `await` of a cell saw an error first: its own stack may not lead there. */
const waiters = new WeakMap<object, { stack?: string }>();

export function rememberWaiter(error: unknown, waiter: { stack?: string }): void {
  if (error instanceof Error && !waiters.has(error)) waiters.set(error, waiter);
}

/** Makes every stack trace show cells as the user wrote them, and no frame of this kernel. */
export function installStackTraces(): void {
  Error.prepareStackTrace = (error: Error, frames: NodeJS.CallSite[]): string => {
    const lines = frames.map(frameText).filter((line) => line !== null);
    return [cleanMessage(header(error)), ...lines.map((line) => `    at ${line}`)].join("\n");
  };
}

function header(error: Error): string {
  try {
    return String(error);
  } catch {
    return "Error";
  }
}

function frameText(frame: NodeJS.CallSite): string | null {
  const file = frame.getFileName() ?? "";
  if (file.startsWith(KERNEL.href) || file.startsWith(fileURLToPath(KERNEL)) || file === "node:vm") return null;
  if (file.startsWith("node:internal/")) return null;
  const place = cellPosition(frame, file) ?? localPosition(frame, file);
  if (place === null) return cleanMessage(frame.toString());
  const name = (frame.getFunctionName() ?? "").replace(/^cell\$\$?\.?/, "");
  return name === "" ? place : `${name} (${place})`;
}

function cellPosition(frame: NodeJS.CallSite, file: string): string | null {
  const cell = cells.get(file);
  if (cell === undefined) return null;
  if (!cell.positions.isKnown) return file;
  const { line, column } = cell.positions.original(frame.getLineNumber() ?? 1, frame.getColumnNumber() ?? 1);
  return `${file}:${line}:${column}`;
}

/** A file of the user that was compiled on its way in: TypeScript that a cell imports. */
function localPosition(frame: NodeJS.CallSite, file: string): string | null {
  if (!file.startsWith("file:")) return null;
  const [line, column] = [(frame.getLineNumber() ?? 1) - 1, (frame.getColumnNumber() ?? 1) - 1];
  const entry: Partial<SourceMapping> | undefined = findSourceMap(file)?.findEntry(line, column);
  if (entry?.originalLine === undefined || entry.originalColumn === undefined) return null;
  return `${relative(process.cwd(), fileURLToPath(file))}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

/** Names in V8's messages as the user wrote them: `(0 , cell$.f) is not a function` → `f is not a function`. */
function cleanMessage(text: string): string {
  return text.replace(/\(0 ?, cell\$\.([\w$]+)\)/g, "$1").replace(/\bcell\$\./g, "");
}

/** True for every way in which an interrupt surfaces. */
export function isInterruption(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === "InterruptedError" || (error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_INTERRUPTED"
  );
}

/** What the front end shows: class, message, and a traceback that starts where the user's text is. */
export function errorContent(thrown: unknown): ErrorContent {
  if (isInterruption(thrown)) {
    const [ename, evalue] = ["Interrupted", new InterruptedError().message];
    return { ename, evalue, traceback: traceback(ename, evalue, thrown as Error) };
  }
  if (!(thrown instanceof Error)) {
    const evalue = typeof thrown === "string" ? thrown : inspect(thrown);
    return { ename: "Thrown", evalue, traceback: [`Thrown: ${evalue}`] };
  }
  const ename = thrown.name || thrown.constructor.name;
  const evalue = cleanMessage(thrown.message);
  return { ename, evalue, traceback: traceback(ename, evalue, thrown) };
}

function traceback(ename: string, evalue: string, error: Error): string[] {
  return [evalue === "" ? ename : `${ename}: ${evalue}`, ...whereabouts(error), ...behind(error, 0)];
}

/** The line of a cell where an error was made, and the way there. */
function whereabouts(error: Error): string[] {
  let frames = stackFrames(error);
  frames.push(...stackFrames(waiters.get(error) ?? {}).filter((frame) => !frames.includes(frame)));
  const inCell = frames.findIndex((frame) => CELL_FRAME.test(frame));
  // The library's own errors say what to do: where it found out does not help.
  if (inCell > 0 && typeof (error as NodeJS.ErrnoException).code === "string") frames = frames.slice(inCell);
  const place = frames.map(cellPlace).find((found) => found !== null) ?? syntaxPlace(error);
  const shown = place === null ? [] : excerpt(place.file, place.position);
  return [...shown, ...frames.map((frame) => `    at ${frame}`)];
}

/** Causes, and the errors of an `AggregateError`, each with its own place. */
function behind(error: Error, depth: number): string[] {
  if (depth >= CAUSES_SHOWN) return [];
  const all: [string, unknown][] = error.cause === undefined ? [] : [["Caused by ", error.cause]];
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  all.push(...errors.slice(0, ERRORS_SHOWN).map((one, index): [string, unknown] => [`[${index}] `, one]));
  const lines = all.flatMap(([label, one]) =>
    one instanceof Error
      ? [`${label}${cleanMessage(header(one))}`, ...whereabouts(one), ...behind(one, depth + 1)]
      : [`${label}${inspect(one)}`],
  );
  return errors.length > ERRORS_SHOWN ? [...lines, `… ${errors.length - ERRORS_SHOWN} more errors`] : lines;
}

const CELL_FRAME = /(?:^|\()(Cell\[[^\]]+\]\.ts):(\d+):(\d+)\)?$/;

function stackFrames(error: { stack?: string }): string[] {
  const stack = typeof error.stack === "string" ? error.stack : "";
  return stack.split("\n").flatMap((line) => (line.startsWith("    at ") ? [line.slice(7)] : []));
}

function cellPlace(frame: string): { file: string; position: Position } | null {
  const match = CELL_FRAME.exec(frame);
  return match === null ? null : { file: match[1]!, position: { line: Number(match[2]), column: Number(match[3]) } };
}

/** V8 puts the place of a SyntaxError on the first line of the stack: `Cell[1].ts:3`. */
function syntaxPlace(error: Error): { file: string; position: Position } | null {
  const match = /^(Cell\[[^\]]+\]\.ts):(\d+)\n(?:.*\n( *)\^)?/.exec(error.stack ?? "");
  const cell = match === null ? undefined : cells.get(match[1]!);
  if (match === null || !cell?.positions.isKnown) return null;
  return { file: match[1]!, position: cell.positions.original(Number(match[2]), (match[3]?.length ?? 0) + 1) };
}

function excerpt(file: string, { line, column }: Position): string[] {
  const text = cells.get(file)?.source.split("\n");
  return text === undefined ? [] : [`  ${file}:${line}:${column}`, ...sourceFrame(text, { line, column })];
}

/** The line of a position, one before and one after, and a caret under each of the `length` characters. */
export function sourceFrame(lines: readonly string[], { line, column }: Position, length = 1): string[] {
  const width = String(line + 1).length;
  return [line - 1, line, line + 1]
    .filter((number) => number >= 1 && number <= lines.length)
    .flatMap((number) => {
      const source = lines[number - 1]!;
      const text = `${number === line ? ">" : " "} ${String(number).padStart(width)} | ${source}`;
      if (number !== line) return [text];
      const carets = "^".repeat(Math.max(1, Math.min(length, source.length - column + 1)));
      return [text, `  ${" ".repeat(width)} | ${" ".repeat(column - 1)}${carets}`];
    });
}
