import type { Tokenizer } from "nibble-lab";

/** The ids of documents as training reads them: the separator before, between and after. */
export function tokensOf(tokenizer: Tokenizer, texts: Iterable<string>): number[] {
  const separator = tokenizer.bosToken;
  if (separator === null) throw new Error("The tokenizer has no token that separates documents.");
  const ids = [separator];
  for (const text of texts) ids.push(...tokenizer.encode(text, { bos: false }), separator);
  return ids;
}
