/** An object with this method shows itself in a notebook (the convention of Deno's kernel). */
export const display: unique symbol = Symbol.for("Jupyter.display");
/** What console.log asks an object for. */
export const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** Representations by MIME type; "text/plain" is always there. */
export interface MimeBundle {
  readonly "text/plain": string;
  readonly [mimeType: string]: unknown;
}
export interface Displayable {
  [display](): MimeBundle | Promise<MimeBundle>;
}

/** 1536 → "1.50 KiB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${units[unit]}`;
}

/** 2612345 → "2.61 M". */
export function formatCount(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} G`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(2)} M`;
  return count >= 1e4 ? `${(count / 1e3).toFixed(1)} k` : String(count);
}

/** Text made safe for HTML, attributes included. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export interface Table {
  readonly title?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** One line under the table: the protocol of its numbers. */
  readonly note?: string;
}

/** A table as HTML that follows the notebook's theme, and as aligned text. Columns whose cells are all numbers or start with a digit align right. */
export function tableBundle(table: Table): MimeBundle {
  return { "text/plain": tableText(table), "text/html": tableHtml(table) };
}

/** The HTML of a table, to be put together with other parts. */
export function tableHtml({ title, columns, rows, note }: Table): string {
  const right = numericColumns(columns, rows);
  const style = (column: number) => `text-align:${right[column] ? "right" : "left"};padding:2px 10px`;
  const cell = (tag: string, value: string | number, column: number) =>
    `<${tag} style="${style(column)}">${escapeHtml(String(value))}</${tag}>`;
  const head = columns.map((name, column) => cell("th", name, column)).join("");
  const body = rows.map((row) => `<tr>${row.map((value, column) => cell("td", value, column)).join("")}</tr>`).join("");
  const caption = title === undefined ? "" : `<div style="font-weight:600">${escapeHtml(title)}</div>`;
  const foot = note === undefined ? "" : `<div style="${faint}">${escapeHtml(note)}</div>`;
  return `<div style="color:var(--jp-content-font-color1,inherit)">${caption}<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>${foot}</div>`;
}

const faint = "color:var(--jp-content-font-color2,inherit);font-size:smaller";

function tableText({ title, columns, rows, note }: Table): string {
  const right = numericColumns(columns, rows);
  const lines = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => [...(line[column] ?? "")].length)));
  const padded = lines.map((line) =>
    line
      .map((value, column) => (right[column] ? value.padStart(widths[column]!) : value.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  return [...(title === undefined ? [] : [title]), ...padded, ...(note === undefined ? [] : [note])].join("\n");
}

function numericColumns(columns: readonly string[], rows: Table["rows"]): boolean[] {
  return columns.map((_, column) => rows.length > 0 && rows.every((row) => /^[−+-]?[\d.]/.test(String(row[column]))));
}

export interface Line {
  readonly label: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}
export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly Line[];
  /** The axis of x reaches at least to here. */
  readonly xMax?: number;
}

// The first three of JupyterLab's brand colours that differ in hue and in lightness, with fallbacks for other viewers.
const lineColors = [
  "var(--jp-brand-color1,#1976d2)",
  "var(--jp-warn-color1,#e65100)",
  "var(--jp-success-color1,#2e7d32)",
];
const dashes = ["", "6 3", "2 3"];

/** A line chart as inline SVG in the theme's colours; points that are not finite are left out. */
export function lineChartSvg({ title, xLabel, yLabel, lines, xMax = -Infinity }: Chart): string {
  const [width, height, left, right, top, bottom] = [560, 260, 56, 12, 28, 40];
  const x = axis([...lines.flatMap((line) => Array.from(line.x)), xMax], left, width - right);
  const y = axis(
    lines.flatMap((line) => Array.from(line.y)),
    height - bottom,
    top,
  );
  const ticks = [
    ...x.ticks.map((t) => svgText(x.place(t), height - bottom + 16, tickLabel(t), "middle")),
    ...y.ticks.map((t) => svgText(left - 6, y.place(t) + 4, tickLabel(t), "end")),
    ...y.ticks.map(
      (t) =>
        `<line x1="${left}" x2="${width - right}" y1="${y.place(t)}" y2="${y.place(t)}" stroke="currentColor" stroke-opacity="0.15"/>`,
    ),
  ];
  const drawn = lines.map((line, index) => {
    const points = Array.from(line.x, (value, i) => [x.place(value), y.place(line.y[i]!)] as const);
    const finite = points.filter(([px, py]) => Number.isFinite(px) && Number.isFinite(py));
    const path = finite.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
    const color = lineColors[index % lineColors.length]!;
    const legend = lines.length < 2 ? "" : svgText(width - right - 4, top + 14 + 14 * index, line.label, "end", color);
    return `<polyline points="${path}" fill="none" stroke-width="1.6" style="stroke:${color}" stroke-dasharray="${dashes[index % dashes.length]}"/>${legend}`;
  });
  const labels = [
    svgText(left, 16, title, "start"),
    svgText((left + width) / 2, height - 6, xLabel, "middle"),
    `<text transform="translate(12 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle" fill="currentColor">${escapeHtml(yLabel)}</text>`,
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="${escapeHtml(title)}" ` +
    `style="max-width:100%;color:var(--jp-content-font-color1,currentColor);font:11px var(--jp-ui-font-family,sans-serif)">${[...ticks, ...drawn, ...labels].join("")}</svg>`
  );
}

function svgText(x: number, y: number, text: string, anchor: string, color = "currentColor"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" style="fill:${color}">${escapeHtml(text)}</text>`;
}

function tickLabel(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** A linear axis with about five ticks at 1, 2 or 5 times a power of ten. */
function axis(values: readonly number[], from: number, to: number) {
  const finite = values.filter(Number.isFinite);
  let low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  let high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  if (finite.length === 0) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) ticks.push(index * step);
  return { ticks, place: (value: number) => from + ((value - low) / (high - low)) * (to - from) };
}
