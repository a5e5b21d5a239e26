import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import type { ErrorContent } from "../jupyter/protocol.js";
import type { CellRun } from "./messages.js";
import { CellPositions, type Position } from "./sourcemap.js";

const KERNEL = new URL("../", import.meta.url);
const CAUSES_SHOWN = 3;

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
  const cell = cells.get(file);
  if (cell === undefined) return cleanMessage(frame.toString());
  const { line, column } = cell.positions.original(frame.getLineNumber() ?? 1, frame.getColumnNumber() ?? 1);
  const name = (frame.getFunctionName() ?? "").replace(/^cell\$\$?\.?/, "");
  return name === "" ? `${file}:${line}:${column}` : `${name} (${file}:${line}:${column})`;
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
  const lines = [evalue === "" ? ename : `${ename}: ${evalue}`];
  let frames = stackFrames(error);
  frames.push(...stackFrames(waiters.get(error) ?? {}).filter((frame) => !frames.includes(frame)));
  const inCell = frames.findIndex((frame) => CELL_FRAME.test(frame));
  // The library's own errors say what to do: where it found out does not help.
  if (inCell > 0 && typeof (error as NodeJS.ErrnoException).code === "string") frames = frames.slice(inCell);
  const place = frames.map(cellPlace).find((found) => found !== null) ?? syntaxPlace(error);
  if (place !== null) lines.push(...excerpt(place.file, place.position));
  lines.push(...frames.map((frame) => `    at ${frame}`));
  return [...lines, ...causes(error)];
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
  if (match === null || cell === undefined) return null;
  return { file: match[1]!, position: cell.positions.original(Number(match[2]), (match[3]?.length ?? 0) + 1) };
}

function excerpt(file: string, { line, column }: Position): string[] {
  const text = cells.get(file)?.source.split("\n");
  return text === undefined ? [] : [`  ${file}:${line}:${column}`, ...sourceFrame(text, { line, column })];
}

/** The line of a position, one before and one after, and a caret. */
export function sourceFrame(lines: readonly string[], { line, column }: Position): string[] {
  const width = String(line + 1).length;
  return [line - 1, line, line + 1]
    .filter((number) => number >= 1 && number <= lines.length)
    .flatMap((number) => {
      const text = `${number === line ? ">" : " "} ${String(number).padStart(width)} | ${lines[number - 1]}`;
      return number === line ? [text, `  ${" ".repeat(width)} | ${" ".repeat(column - 1)}^`] : [text];
    });
}

function causes(error: Error): string[] {
  const lines: string[] = [];
  let cause = error.cause;
  for (let depth = 0; cause !== undefined && depth < CAUSES_SHOWN; depth++) {
    lines.push(`Caused by ${cause instanceof Error ? cleanMessage(header(cause)) : inspect(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  if (error instanceof AggregateError) lines.push(...error.errors.map((one) => `  - ${header(one as Error)}`));
  return lines;
}
