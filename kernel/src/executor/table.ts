import { inspect } from "node:util";
import { tableBundle } from "nibble-lab/display";
import type { Bundle } from "../jupyter/protocol.js";

const MOST_ROWS = 200;

export interface TableOptions {
  /** Which columns, in which order; without it every key of the rows, in the order in which they appear. */
  readonly columns?: readonly string[];
  /** The most rows that are shown. Default: 200. */
  readonly limit?: number;
  readonly title?: string;
}

/**
 * Rows as a table for the notebook and as aligned text. Rows are records, arrays or single values; a record of arrays is
 * read as one of columns.
 * @throws {TypeError} for a value that has no rows
 */
export function tableOf(value: unknown, { columns, limit = MOST_ROWS, title }: TableOptions = {}): Bundle {
  const rows = rowsOf(value);
  const shown = rows.slice(0, limit);
  const names = columns ?? [...new Set(shown.flatMap((row) => Object.keys(fieldsOf(row))))];
  const rest = rows.length - shown.length;
  return tableBundle({
    columns: names,
    rows: shown.map((row) => names.map((name) => cell(fieldsOf(row)[name]))),
    ...(title === undefined ? {} : { title }),
    ...(rest > 0 ? { note: `${rest} more of ${rows.length} rows` } : {}),
  });
}

function rowsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return Array.from(value, ([key, one]) => ({ key, value: one as unknown }));
  if (isIterable(value)) return [...value];
  if (typeof value === "object" && value !== null) {
    const columns = Object.entries(value).filter((entry): entry is [string, ArrayLike<unknown>] => isList(entry[1]));
    const length = Math.max(0, ...columns.map(([, list]) => list.length));
    if (columns.length > 0)
      return Array.from({ length }, (_, row) => Object.fromEntries(columns.map(([name, list]) => [name, list[row]])));
  }
  throw new TypeError(
    `[table] got ${inspect(value, { depth: 0 })}. Supported: a list of records, arrays or values, a Map, or a record of columns.`,
  );
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function fieldsOf(row: unknown): Readonly<Record<string, unknown>> {
  const isRecord = typeof row === "object" && row !== null;
  return isRecord ? (row as Readonly<Record<string, unknown>>) : { value: row };
}

function cell(value: unknown): string | number {
  if (value === undefined || value === null) return value === null ? "null" : "";
  if (typeof value === "number") return Number(value.toPrecision(6));
  if (typeof value === "string") return value;
  return inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 20, maxStringLength: 200 });
}
