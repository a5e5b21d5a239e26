import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { FormatError } from "../errors.js";
import { display, inspect, type MimeBundle } from "../display.js";

interface TokenizerConfig {
  readonly add_bos_token?: unknown;
  readonly bos_token?: unknown;
  readonly eos_token?: unknown;
}

/**
 * Text to token ids and back, from a checkpoint's tokenizer.json and tokenizer_config.json.
 *
 * @example
 * const ids = model.tokenizer.encode("Hello"); model.tokenizer.decode(ids);
 */
export class Tokenizer {
  readonly bosToken: number | null;
  readonly eosToken: number | null;
  /** Whether `encode` starts with the beginning-of-sequence token unless told otherwise: the checkpoint's own rule. */
  readonly addsBos: boolean;
  readonly vocabSize: number;
  private readonly engine: Engine;

  /**
   * @param definition the parsed tokenizer.json · @param config the parsed tokenizer_config.json
   * @throws {FormatError} if the tokenizer library cannot make sense of them
   */
  constructor(
    readonly definition: object,
    readonly config: object,
    path = "tokenizer.json",
  ) {
    try {
      this.engine = new Engine(definition, config);
    } catch (cause) {
      throw new FormatError("tokenizer", `${path} does not describe a tokenizer: ${String(cause)}.`, { path }, cause);
    }
    const { add_bos_token, bos_token, eos_token } = config as TokenizerConfig;
    this.bosToken = this.idOf(bos_token);
    this.eosToken = this.idOf(eos_token);
    // Without an explicit flag the post-processor's template decides.
    const template = this.engine.encode("").ids;
    this.addsBos =
      this.bosToken !== null && (typeof add_bos_token === "boolean" ? add_bos_token : template[0] === this.bosToken);
    this.vocabSize = this.engine.get_vocab(true).size;
  }

  /** The ids of a text. @param options.bos whether the first is the beginning-of-sequence token; default: the checkpoint's rule */
  encode(text: string, options: { readonly bos?: boolean } = {}): number[] {
    const { ids } = this.engine.encode(text, { add_special_tokens: false });
    return (options.bos ?? this.addsBos) && this.bosToken !== null ? [this.bosToken, ...ids] : ids;
  }

  /** The text of ids; special tokens are left out unless asked for. */
  decode(ids: readonly number[], options: { readonly special?: boolean } = {}): string {
    if (ids.length === 0) return "";
    return this.engine.decode([...ids], {
      skip_special_tokens: options.special !== true,
      clean_up_tokenization_spaces: false,
    });
  }

  /** The piece of text that an id stands for, as the vocabulary writes it. */
  token(id: number): string {
    return this.engine.id_to_token(id) ?? `<${id}>`;
  }

  toString(): string {
    return `Tokenizer, ${this.vocabSize} tokens${this.addsBos ? ", texts begin with BOS" : ""}`;
  }
  [display](): MimeBundle {
    return { "text/plain": this.toString() };
  }
  [inspect](): string {
    return this.toString();
  }

  /** Configs give special tokens as text or as an object with `content`. */
  private idOf(token: unknown): number | null {
    const content = typeof token === "object" && token !== null && "content" in token ? token.content : token;
    return typeof content === "string" ? (this.engine.token_to_id(content) ?? null) : null;
  }
}
