import { OptionError } from "../errors.js";

/** A document as ids, of which some count more in training than others. */
export interface WeightedTokens {
  readonly tokens: ArrayLike<number>;
  /** How much each token counts as what is to be predicted: 0 = not at all, 1 = as usual. */
  readonly weights: ArrayLike<number>;
}

/** Text to read: one string, documents, or token ids (which are taken as they are, with or without weights). */
export type TokenSource = string | Int32Array | Iterable<string | Int32Array | WeightedTokens>;

/** What turns text into ids. */
export interface Encoder {
  readonly encode: (text: string) => ArrayLike<number>;
  /** Stands before each document; null where the model has none. */
  readonly begin: number | null;
  /** Stands after each document; null where the model has none. */
  readonly end: number | null;
}

/** One stream of ids. */
export interface TokenStream {
  readonly ids: Int32Array;
  /** One for each id; null where all count alike. */
  readonly weights: Float32Array | null;
}

/** The ids of a source, each text document between its begin and end token. Stops reading at the document that makes `enough`. */
export function readTokens(source: TokenSource, encoder: Encoder, enough = Infinity): Int32Array {
  const reading = readingTokens(source, encoder, enough);
  for (;;) {
    const { done, value } = reading.next();
    if (done === true) return value.ids;
  }
}

/**
 * The same with weights, document by document: yields how many ids there are so far, so that the reader may give way or stop.
 *
 * @throws {OptionError} for a document whose weights are not one for each token, at least 0 and finite
 */
export function* readingTokens(
  source: TokenSource,
  encoder: Encoder,
  enough = Infinity,
): Generator<number, TokenStream, void> {
  if (source instanceof Int32Array) return { ids: source, weights: null };
  const ids: number[] = [];
  const weights: number[] = [];
  let weighted = false;
  for (const document of typeof source === "string" ? [source] : source) {
    if (isWeighted(document)) {
      checkWeights(document);
      weighted = true;
      append(weights, document.weights);
      append(ids, document.tokens);
    } else {
      const isText = typeof document === "string";
      if (isText && encoder.begin !== null) ids.push(encoder.begin);
      append(ids, isText ? encoder.encode(document) : document);
      if (isText && encoder.end !== null) ids.push(encoder.end);
      while (weights.length < ids.length) weights.push(1);
    }
    if (ids.length >= enough) break;
    yield ids.length;
  }
  return { ids: Int32Array.from(ids), weights: weighted ? Float32Array.from(weights) : null };
}

/** True for what `readTokens` reads. */
export function isTokenSource(value: unknown): boolean {
  return (
    typeof value === "string" ||
    value instanceof Int32Array ||
    (typeof value === "object" && value !== null && Symbol.iterator in value)
  );
}

function isWeighted(document: string | Int32Array | WeightedTokens): document is WeightedTokens {
  return typeof document === "object" && "weights" in document;
}

function checkWeights({ tokens, weights }: WeightedTokens): void {
  if (tokens.length !== weights.length)
    throw new OptionError("tokens", `${tokens.length} tokens came with ${weights.length} weights. Give one for each.`);
  for (let i = 0; i < weights.length; i++) {
    if (weights[i]! >= 0 && weights[i]! < Infinity) continue;
    throw new OptionError("tokens", `A weight is ${weights[i]}. Allowed: 0 and above.`);
  }
}

function append(list: number[], more: ArrayLike<number>): void {
  for (let i = 0; i < more.length; i++) list.push(more[i]!);
}
