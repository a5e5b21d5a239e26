import type { ModelConfig } from "./config.js";
import type { Decoder } from "./decoder.js";
import type { Tokenizer } from "./tokenizer.js";

/** What generation and the card read of a model. */
export interface ModelView {
  readonly name: string;
  readonly label: string;
  readonly config: ModelConfig;
  readonly network: Decoder;
  readonly hasTokenizer: boolean;
  /** @throws {UnsupportedError} for a model that was made without one */
  readonly tokenizer: Tokenizer;
  /** Ids checked against vocabulary and positions. @throws {OptionError} */
  sequences(op: string, input: readonly number[]): { readonly tokens: Int32Array; readonly batch: number };
}
