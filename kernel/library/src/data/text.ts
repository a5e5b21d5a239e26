import { display, escapeHtml, type Displayable, type MimeBundle } from "../display.js";

/** The special token that stands before, between and after documents in one string. */
export const DOCUMENT_SEPARATOR = "<|endoftext|>";

const SHOWN_DOCUMENTS = 5;
const SHOWN_CHARACTERS = 160;

/**
 * Documents of text, made anew each time they are read, so that the set may be larger than memory.
 *
 * @example
 * const held = data.pocket.text("test"); for (const text of held) console.log(text); held.documents.length;
 */
export class TextDataset<Document extends { readonly text: string } = { readonly text: string }>
  implements Iterable<string>, Displayable
{
  readonly #stream: () => Iterable<Document>;
  #documents: readonly Document[] | undefined;

  constructor(
    readonly name: string,
    stream: () => Iterable<Document>,
  ) {
    this.#stream = stream;
  }

  /** The texts, one by one, without keeping them. */
  *[Symbol.iterator](): Iterator<string> {
    for (const document of this.stream()) yield document.text;
  }

  /** The documents, one by one, without keeping them. */
  stream(): Iterable<Document> {
    return this.#documents ?? this.#stream();
  }

  /** All documents, kept from now on. */
  get documents(): readonly Document[] {
    return (this.#documents ??= [...this.#stream()]);
  }

  /** All documents in one string, each followed by the separator token. */
  get text(): string {
    return this.documents.map((document) => document.text + DOCUMENT_SEPARATOR).join("");
  }

  [display](): MimeBundle {
    const documents = this.documents;
    const characters = documents.reduce((sum, document) => sum + document.text.length, 0);
    const title = `${this.name}: ${documents.length} documents, ${characters} characters`;
    const lines = documents.slice(0, SHOWN_DOCUMENTS).map(({ text }) => {
      const line = text.replaceAll("\n", " ⏎ ");
      return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
    });
    const items = lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("");
    return {
      "text/plain": [title, ...lines.map((line) => `  ${line}`)].join("\n"),
      "text/html": `<div style="color:var(--jp-content-font-color1,inherit)"><b>${escapeHtml(title)}</b><ol>${items}</ol></div>`,
    };
  }
}
