import { inspect } from "node:util";
import type { Bundle, DisplayContent } from "../jupyter/protocol.js";

/** The door through which any object shows itself: a method that returns a MIME bundle, or a promise of one. */
export const DISPLAY = Symbol.for("Jupyter.display");

const LONGEST_TEXT = 20_000; // characters; what is longer is cut with a notice
const INSPECT = { depth: 4, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 100, colors: false } as const;

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

/** How a value looks: its own bundle, always with `text/plain`, or Node's inspection of it. Only a promised bundle takes a promise. */
export function bundleOf(value: unknown): DisplayContent | Promise<DisplayContent> {
  const show = displayMethod(value);
  if (show === null) return { data: { "text/plain": plainText(value) }, metadata: {}, transient: {} };
  const bundle = show.call(value);
  return bundle instanceof Promise ? bundle.then((settled) => checked(settled, value)) : checked(bundle, value);
}

function checked(bundle: unknown, value: unknown): DisplayContent {
  if (typeof bundle !== "object" || bundle === null) {
    throw new TypeError(
      `[display] Symbol.for("Jupyter.display") returned ${inspect(bundle)}. It must return a MIME bundle: { "text/plain": … }.`,
    );
  }
  const data = { ...(bundle as Bundle) };
  data["text/plain"] ??= plainText(value);
  return { data, metadata: {}, transient: {} };
}

export function plainText(value: unknown): string {
  const text = inspect(value, INSPECT);
  if (text.length <= LONGEST_TEXT) return text;
  return `${text.slice(0, LONGEST_TEXT)}\n… ${text.length - LONGEST_TEXT} more characters`;
}

function displayMethod(value: unknown): ((this: unknown) => unknown) | null {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return null;
  const method = (value as Record<symbol, unknown>)[DISPLAY];
  return typeof method === "function" ? (method as (this: unknown) => unknown) : null;
}
