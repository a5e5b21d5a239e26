import type { Bundle, DisplayContent } from "../jupyter/protocol.js";
import { recognized } from "./recognize.js";
import { plainText } from "./text.js";

/** The door through which any object shows itself: a method that returns a MIME bundle, or a promise of one. */
export const DISPLAY = Symbol.for("Jupyter.display");

/** Content of one MIME type that is longer than this, in characters, is not sent: a browser would choke on it. */
const LONGEST_CONTENT = 20_000_000;

/** An object that is nothing but its MIME bundle. */
export class Shown {
  readonly #bundle: Bundle;
  constructor(bundle: Bundle) {
    this.#bundle = bundle;
  }
  [DISPLAY](): Bundle {
    return this.#bundle;
  }
}

/** What was shown, to change it later. As a cell's last value it shows nothing more. */
export class DisplayHandle {
  constructor(
    readonly id: string,
    readonly update: (value: unknown) => void,
  ) {}
}

/** How a value looks: its own bundle, what its shape says, or Node's inspection; always with `text/plain`. Only a promised bundle takes a promise. */
export function bundleOf(value: unknown): DisplayContent | Promise<DisplayContent> {
  const show = displayMethod(value);
  if (show === null) return content(recognized(value) ?? {}, value);
  const bundle = show.call(value);
  return bundle instanceof Promise ? bundle.then((settled) => checked(settled, value)) : checked(bundle, value);
}

/** A bundle as it is given, without a look at its shape. */
export function rawBundle(bundle: unknown, metadata: Bundle = {}): DisplayContent {
  if (typeof bundle !== "object" || bundle === null || Array.isArray(bundle)) {
    throw new TypeError(
      `[display] with \`raw\` the value is a MIME bundle, such as { "text/html": "…" }; got ${plainText(bundle)}.`,
    );
  }
  return { data: sendable(bundle as Bundle), metadata, transient: {} };
}

function checked(bundle: unknown, value: unknown): DisplayContent {
  if (typeof bundle !== "object" || bundle === null) {
    throw new TypeError(
      `[display] Symbol.for("Jupyter.display") returned ${plainText(bundle)}. It must return a MIME bundle: { "text/plain": … }.`,
    );
  }
  return content(bundle as Bundle, value);
}

function content(bundle: Bundle, value: unknown): DisplayContent {
  const data = sendable(bundle);
  data["text/plain"] ??= plainText(value);
  return { data, metadata: {}, transient: {} };
}

/** Text as text, bytes as base64, JSON without what JSON cannot hold. */
function sendable(bundle: Bundle): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  let notice = "";
  for (const [type, value] of Object.entries(bundle)) {
    if (value === undefined) continue;
    const [sent, length] = encoded(type, value);
    if (length <= LONGEST_CONTENT) data[type] = sent;
    else
      notice += `[${type} of ${length} characters is not shown: the most is ${LONGEST_CONTENT}. Write it to a file.]\n`;
  }
  if (notice !== "")
    data["text/plain"] = `${notice}${typeof data["text/plain"] === "string" ? data["text/plain"] : ""}`;
  return data;
}

function encoded(type: string, value: unknown): [sent: unknown, length: number] {
  if (value instanceof Uint8Array) {
    const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
    return [text, text.length];
  }
  if (/[/+]json$/.test(type)) {
    const json = JSON.stringify(value, jsonValue) ?? "null";
    return [JSON.parse(json), json.length];
  }
  const text = Array.isArray(value) ? value.join("") : typeof value === "string" ? value : plainText(value);
  return [text, text.length];
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as Uint8Array) : value;
}

function displayMethod(value: unknown): ((this: unknown) => unknown) | null {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return null;
  const method = (value as Record<symbol, unknown>)[DISPLAY];
  return typeof method === "function" ? (method as (this: unknown) => unknown) : null;
}
