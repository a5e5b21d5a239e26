import type { Encoder } from "../data/tokens.js";
import type { LanguageModel } from "./model.js";

/**
 * How documents become one stream of ids for this model: each begins with BOS where the checkpoint's texts do, otherwise each
 * ends with EOS. Token ids need no tokenizer.
 */
export function encoderOf(model: LanguageModel): Encoder {
  const begin = model.hasTokenizer && model.tokenizer.addsBos ? model.tokenizer.bosToken : null;
  return {
    encode: (text) => model.tokenizer.encode(text, { bos: false }),
    begin,
    end: begin === null ? (model.config.eosTokens[0] ?? null) : null,
  };
}
