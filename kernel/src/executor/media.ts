import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { Shown } from "./display.js";
import { pictureType } from "./recognize.js";
import { tableOf, type TableOptions } from "./table.js";

const IMAGE_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".svg": "image/svg+xml",
};

/** A string, or a tagged template. */
type Text = string | TemplateStringsArray;

function joined(text: Text, values: readonly unknown[]): string {
  return typeof text === "string" ? text : String.raw({ raw: text }, ...values);
}

export function html(text: Text, ...values: unknown[]): Shown {
  const source = joined(text, values);
  return new Shown({ "text/html": source, "text/plain": source });
}

export function md(text: Text, ...values: unknown[]): Shown {
  const source = joined(text, values);
  return new Shown({ "text/markdown": source, "text/plain": source });
}

export function svg(text: Text, ...values: unknown[]): Shown {
  const source = joined(text, values);
  return new Shown({ "image/svg+xml": source, "text/plain": source });
}

/** A picture from a file, or from the bytes of one. */
export function image(source: string | Uint8Array): Shown {
  const bytes = typeof source === "string" ? readFileSync(source) : source;
  const type = typeof source === "string" ? IMAGE_TYPES[extname(source).toLowerCase()] : pictureType(bytes);
  if (type === undefined || type === null) {
    const head = Buffer.from(bytes.subarray(0, 4)).toString("hex");
    const what = typeof source === "string" ? source : `bytes that begin with ${head}`;
    throw new TypeError(`[image] ${what}. Supported: ${Object.keys(IMAGE_TYPES).join(", ")}.`);
  }
  const data = type === "image/svg+xml" ? Buffer.from(bytes).toString("utf8") : bytes;
  return new Shown({ [type]: data, "text/plain": `[${type}, ${bytes.length} bytes]` });
}

export function table(rows: unknown, options: TableOptions = {}): Shown {
  return new Shown(tableOf(rows, options));
}
