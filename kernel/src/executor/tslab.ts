/** tslab's display functions, for notebooks that were written for it: `import * as tslab from "tslab"`. */
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

/** What a cell calls to show content of one MIME type. */
export interface Display {
  javascript(source: string): void;
  html(source: string): void;
  markdown(source: string): void;
  latex(source: string): void;
  svg(source: string): void;
  png(bytes: Uint8Array): void;
  jpeg(bytes: Uint8Array): void;
  gif(bytes: Uint8Array): void;
  pdf(bytes: Uint8Array): void;
  text(text: string): void;
  /** Content of any MIME type; bytes are sent as base64. */
  raw(contentType: string, content: string | Uint8Array): void;
}

class CellDisplay implements Display {
  private isShown = false;

  /** @param id with it, everything after the first takes the place of what was shown before */
  constructor(private readonly id?: string) {}

  javascript = (source: string): void => this.raw("text/javascript", source);
  html = (source: string): void => this.raw("text/html", source);
  markdown = (source: string): void => this.raw("text/markdown", source);
  latex = (source: string): void => this.raw("text/latex", source);
  svg = (source: string): void => this.raw("image/svg+xml", source);
  png = (bytes: Uint8Array): void => this.raw("image/png", bytes);
  jpeg = (bytes: Uint8Array): void => this.raw("image/jpeg", bytes);
  gif = (bytes: Uint8Array): void => this.raw("image/gif", bytes);
  pdf = (bytes: Uint8Array): void => this.raw("application/pdf", bytes);
  text = (text: string): void => this.raw("text/plain", text);

  raw(contentType: string, content: string | Uint8Array): void {
    const bundle = { [contentType]: content };
    const options = this.id === undefined ? {} : { id: this.id, update: this.isShown };
    this.isShown = true;
    (globalThis as unknown as { display(value: object, options: object): void }).display(bundle, {
      raw: true,
      ...options,
    });
  }
}

/** Shows content below the cell. */
export const display: Display = new CellDisplay();

/** A place below the cell that later calls overwrite. */
export function newDisplay(): Display {
  return new CellDisplay(randomUUID());
}

const { version } = createRequire(import.meta.url)("typescript6/package.json") as { version: string };

export const versions: { readonly tslab: string; readonly typescript: string; readonly node: string } = {
  tslab: "1.0.22",
  typescript: version,
  node: process.version,
};
