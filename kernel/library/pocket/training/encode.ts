import type { Tokenizer, WeightedTokens } from "nibble-lab";
import type { PocketDocument } from "nibble-lab/data";

/** A document as training reads it: the separator before it, which the document before had to predict, and its parts' weights. */
export function encodeDocument(tokenizer: Tokenizer, { text, parts }: PocketDocument): WeightedTokens {
  if (tokenizer.bosToken === null) throw new Error("The tokenizer has no token that separates documents.");
  const tokens = [tokenizer.bosToken];
  const weights = [1];
  for (const part of parts ?? [{ text, weight: 1 }]) {
    const ids = tokenizer.encode(part.text, { bos: false });
    tokens.push(...ids);
    weights.push(...ids.map(() => part.weight));
  }
  return { tokens, weights };
}
