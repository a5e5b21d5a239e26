import { inspect } from "node:util";
import { escapeHtml } from "nibble-lab/display";
import type { Bundle } from "../jupyter/protocol.js";

const MOST_ROWS = 200;

/** Rows as an HTML table; columns are the keys of all records, in the order in which they appear. */
export function tableBundle(rows: readonly unknown[]): Bundle {
  const shown = rows.slice(0, MOST_ROWS);
  const isRecord = (row: unknown): row is Record<string, unknown> => typeof row === "object" && row !== null;
  const columns = [...new Set(shown.flatMap((row) => (isRecord(row) ? Object.keys(row) : ["value"])))];
  const cell = (row: unknown, column: string) => cellHtml(isRecord(row) ? row[column] : row);
  const body = shown.map((row) => `<tr>${columns.map((column) => cell(row, column)).join("")}</tr>`).join("");
  const rest = rows.length > MOST_ROWS ? `<p>${rows.length - MOST_ROWS} more rows</p>` : "";
  const head = columns.map((column) => `<th>${escapeHtml(column)}</th>`).join("");
  return { "text/html": `<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>${rest}` };
}

function cellHtml(value: unknown): string {
  if (value === undefined) return "<td></td>";
  if (typeof value === "number") return `<td style="text-align:right">${Number(value.toPrecision(6))}</td>`;
  return `<td>${escapeHtml(typeof value === "string" ? value : inspect(value, { depth: 1, breakLength: Infinity }))}</td>`;
}
