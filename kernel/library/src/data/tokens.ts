/** Text to read: one string, documents, or token ids (which are taken as they are). */
export type TokenSource = string | Int32Array | Iterable<string | Int32Array>;

/** What turns text into ids. */
export interface Encoder {
  readonly encode: (text: string) => ArrayLike<number>;
  /** Stands before each document; null where the model has none. */
  readonly begin: number | null;
  /** Stands after each document; null where the model has none. */
  readonly end: number | null;
}

/** One stream of ids, each text document between its begin and end token. Stops reading at the document that makes `enough`. */
export function readTokens(source: TokenSource, encoder: Encoder, enough = Infinity): Int32Array {
  const reading = readingTokens(source, encoder, enough);
  for (;;) {
    const { done, value } = reading.next();
    if (done === true) return value;
  }
}

/** The same, document by document: yields how many ids there are so far, so that the reader may give way or stop. */
export function* readingTokens(
  source: TokenSource,
  encoder: Encoder,
  enough = Infinity,
): Generator<number, Int32Array, void> {
  if (source instanceof Int32Array) return source;
  const tokens: number[] = [];
  for (const document of typeof source === "string" ? [source] : source) {
    const isText = typeof document === "string";
    if (isText && encoder.begin !== null) tokens.push(encoder.begin);
    const ids = isText ? encoder.encode(document) : document;
    for (let i = 0; i < ids.length; i++) tokens.push(ids[i]!);
    if (isText && encoder.end !== null) tokens.push(encoder.end);
    if (tokens.length >= enough) break;
    yield tokens.length;
  }
  return Int32Array.from(tokens);
}

/** True for what `readTokens` reads. */
export function isTokenSource(value: unknown): boolean {
  return (
    typeof value === "string" ||
    value instanceof Int32Array ||
    (typeof value === "object" && value !== null && Symbol.iterator in value)
  );
}
