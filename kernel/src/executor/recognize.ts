import type { Bundle } from "../jupyter/protocol.js";
import { tableOf } from "./table.js";

type Fields = Readonly<Record<string, unknown>>;

/**
 * What a value without a display method is, by its shape: a Plotly figure, a Vega chart, an encoded picture, a canvas, a
 * DOM element, a data frame. Null where it is none of them.
 */
export function recognized(value: unknown): Bundle | null {
  if (typeof value !== "object" || value === null) return null;
  try {
    for (const look of looks) {
      const bundle = look(value as Fields);
      if (bundle !== null) return bundle;
    }
  } catch {
    return null; // a getter that throws, a revoked proxy: not one of these
  }
  return null;
}

const looks: readonly ((value: Fields) => Bundle | null)[] = [plotly, vega, picture, canvas, element, dataFrame];

const FIGURE_KEYS = new Set(["data", "layout", "frames", "config"]);

function plotly(value: Fields): Bundle | null {
  const { data, layout } = value;
  if (!Array.isArray(data) || data.length === 0 || !isFields(layout)) return null;
  if (!data.every(isFields) || !Object.keys(value).every((key) => FIGURE_KEYS.has(key))) return null;
  const traces = (data as Fields[]).map(({ type, name }) => [type ?? "scatter", name].filter(Boolean).join(" "));
  return { "application/vnd.plotly.v1+json": value, "text/plain": `Plotly figure: ${traces.join(", ")}` };
}

const VEGA = /\/schema\/(vega|vega-lite)\/v(\d+)/;

function vega(value: Fields): Bundle | null {
  const spec = typeof value["toSpec"] === "function" ? (value["toSpec"] as () => unknown).call(value) : value;
  if (!isFields(spec) || typeof spec["$schema"] !== "string") return null;
  const [, kind, version] = VEGA.exec(spec["$schema"]) ?? [];
  if (kind === undefined) return null;
  const type = `application/vnd.${kind === "vega" ? "vega" : "vegalite"}.v${version}+json`;
  return { [type]: spec, "text/plain": `${kind} chart` };
}

/** The kind of picture that bytes hold. */
export function pictureType(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 12)).toString("latin1");
  if (head.startsWith("\u0089PNG")) return "image/png";
  if (head.startsWith("\u00ff\u00d8\u00ff")) return "image/jpeg";
  if (head.startsWith("RIFF") && head.endsWith("WEBP")) return "image/webp";
  return head.startsWith("GIF8") ? "image/gif" : null;
}

function picture(value: Fields): Bundle | null {
  if (!(value instanceof Uint8Array)) return null;
  const type = pictureType(value);
  return type === null ? null : { [type]: value, "text/plain": `[${type}, ${value.length} bytes]` };
}

function canvas(value: Fields): Bundle | null {
  if (typeof value["toDataURL"] !== "function") return null;
  const url = String((value["toDataURL"] as (type: string) => unknown).call(value, "image/png"));
  const png = /^data:image\/png;base64,(.+)$/s.exec(url)?.[1];
  return png === undefined ? null : { "image/png": png, "text/plain": "[image/png of a canvas]" };
}

function element(value: Fields): Bundle | null {
  const source = value["outerHTML"];
  return typeof source === "string" ? { "text/html": source, "text/plain": source } : null;
}

function dataFrame(value: Fields): Bundle | null {
  if (typeof value["toRecords"] !== "function" || typeof value["head"] !== "function") return null;
  const records = (value["toRecords"] as () => unknown).call(value);
  return Array.isArray(records) ? tableOf(records) : null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
