/** What a byte-pair vocabulary is learned with. */
export interface BytePairOptions {
  /** Entries in all: the special tokens, the 256 bytes, then one for each merge. */
  readonly vocabulary: number;
  readonly specialTokens: readonly string[];
}

export interface BytePairs {
  /** Token, in the byte alphabet, by identifier. */
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
}

/** Words with the space before them, single digits, runs of other marks, runs of white space. No token crosses its pieces. */
export const PIECE_PATTERN = " ?\\p{L}+| ?\\p{N}| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * Byte-level byte-pair encoding (Sennrich et al. 2016; byte alphabet of Radford et al. 2019): join the most frequent
 * adjacent pair, until the vocabulary is full. Equal counts go to the pair that sorts first, so the result is unique.
 *
 * @param texts read once
 * @throws {RangeError} if the texts have too few different pairs for the vocabulary
 */
export function learnBytePairs(texts: Iterable<string>, options: BytePairOptions): BytePairs {
  const words = countPieces(texts);
  const tokens = [...options.specialTokens, ...byteAlphabet()];
  const merges: [string, string][] = [];
  while (tokens.length < options.vocabulary) {
    const best = mostFrequentPair(words);
    if (best === undefined) {
      throw new RangeError(
        `[byte pairs] the texts give ${tokens.length} tokens, not ${options.vocabulary}. Give more text.`,
      );
    }
    merges.push(best);
    tokens.push(best[0] + best[1]);
    for (const word of words) join(word.symbols, best);
  }
  return { tokens, merges };
}

/**
 * The contents of `tokenizer.json`, as Hugging Face's `tokenizers` reads it.
 *
 * @param specialTokens have the first identifiers; the first of them stands before each text unless special tokens are left out
 */
export function tokenizerJson(pairs: BytePairs, specialTokens: readonly string[]): object {
  const begin = specialTokens[0]!;
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: PIECE_PATTERN }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: begin, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [
        { SpecialToken: { id: begin, type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { Sequence: { id: "B", type_id: 0 } },
      ],
      special_tokens: { [begin]: { id: begin, ids: [0], tokens: [begin] } },
    },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(pairs.tokens.map((token, id) => [token, id])),
      merges: pairs.merges.map(([left, right]) => [left, right]),
    },
  };
}

/** The printable character that stands for each byte: itself where it is printable Latin-1, else one from U+0100 on. */
export function byteAlphabet(): readonly string[] {
  let next = 0x100;
  const printable = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

interface Word {
  readonly symbols: string[];
  readonly count: number;
}

function countPieces(texts: Iterable<string>): Word[] {
  const alphabet = byteAlphabet();
  const counts = new Map<string, number>();
  const pattern = new RegExp(PIECE_PATTERN, "gu");
  for (const text of texts) {
    for (const [piece] of text.matchAll(pattern)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  const symbols = (piece: string) => [...new TextEncoder().encode(piece)].map((byte) => alphabet[byte]!);
  return [...counts].map(([piece, count]) => ({ symbols: symbols(piece), count }));
}

function mostFrequentPair(words: readonly Word[]): [string, string] | undefined {
  const counts = new Map<string, number>();
  for (const { symbols, count } of words) {
    for (let index = 1; index < symbols.length; index++) {
      // No symbol contains a space: the byte alphabet has none.
      const pair = `${symbols[index - 1]} ${symbols[index]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best: string | undefined;
  let most = 0;
  for (const [pair, count] of counts) {
    if (count > most || (count === most && best !== undefined && pair < best)) [best, most] = [pair, count];
  }
  return best?.split(" ") as [string, string] | undefined;
}

function join(symbols: string[], [left, right]: readonly [string, string]): void {
  for (let index = 0; index + 1 < symbols.length; index++) {
    if (symbols[index] === left && symbols[index + 1] === right) symbols.splice(index, 2, left + right);
  }
}
