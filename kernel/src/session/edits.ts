/** A change of source text that keeps its line breaks. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Collects changes of one text and applies them together; no change may overlap another. */
export class Edits {
  private readonly list: (Edit & { readonly order: number })[] = [];

  constructor(private readonly source: string) {}

  insert(at: number, text: string): void {
    this.replace(at, at, text);
  }

  replace(start: number, end: number, text: string): void {
    this.list.push({ start, end, text, order: this.list.length });
  }

  /** Takes text out and leaves its line breaks, so that every later line keeps its number. */
  blank(start: number, end: number): void {
    this.replace(start, end, this.source.slice(start, end).replace(/[^\n]+/g, " "));
  }

  sorted(): Edit[] {
    const width = (edit: Edit) => Math.min(1, edit.end - edit.start);
    return [...this.list]
      .sort((a, b) => a.start - b.start || width(a) - width(b) || a.order - b.order)
      .map(({ start, end, text }) => ({ start, end, text }));
  }
}

export function applyEdits(source: string, edits: readonly Edit[]): string {
  let at = 0;
  const parts: string[] = [];
  for (const edit of edits) {
    parts.push(source.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  parts.push(source.slice(at));
  return parts.join("");
}

/** Where an offset of the changed text was in the source; inside a change, its start. */
export function originalOffset(edits: readonly Edit[], changed: number): number {
  let shift = 0; // changed − source, behind the edits seen so far
  for (const edit of edits) {
    const start = edit.start + shift;
    if (changed < start) break;
    if (changed < start + edit.text.length) return edit.start;
    shift += edit.text.length - (edit.end - edit.start);
  }
  return changed - shift;
}
