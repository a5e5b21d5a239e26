import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "@huggingface/tokenizers";
import { data, DOCUMENT_SEPARATOR } from "nibble-lab/data";
import {
  byteAlphabet,
  learnBytePairs,
  PIECE_PATTERN,
  tokenizerJson,
} from "../../../kernel/library/pocket/training/lib/byte-pairs.js";

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const json = read("../../../kernel/library/pocket/model/tokenizer.json") as {
  model: { vocab: Record<string, number> };
};
const config = read("../../../kernel/library/pocket/model/tokenizer_config.json") as object;
const golden = read("../../fixtures/pocket-tokenizer.json") as { text: string; special: boolean; ids: number[] }[];
const tokenizer = new Tokenizer(json, config);
const encode = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids;

describe("pocket tokenizer", () => {
  it("has 2,048 entries, the separator first", () => {
    expect(Object.values(json.model.vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: 2048 }, (_, id) => id));
    expect(tokenizer.token_to_id(DOCUMENT_SEPARATOR)).toBe(0);
  });

  it.for(golden)(
    "gives the identifiers of Python's tokenizers for $text, special tokens $special",
    ({ text, special, ids }) => {
      expect(tokenizer.encode(text, { add_special_tokens: special }).ids).toEqual(ids);
    },
  );

  it("gives back any string but the empty one, which the decoder refuses", () => {
    const strings = [...golden.map(({ text }) => text).filter((text) => text !== ""), ...data.pocket.text("test")];
    for (const text of strings) expect(tokenizer.decode(encode(text), { skip_special_tokens: false })).toBe(text);
  });

  it("has one token for most names of the world, and a few for those of another", () => {
    const names = data.pocket.world.names("person");
    const tokens = names.reduce((sum, name) => sum + encode(` ${name}`).length, 0);
    expect(tokens / names.length).toBeLessThan(1.5);
    expect(encode(" Zanvoril").length).toBeLessThan(6);
  });

  it("splits numbers into digits", () => {
    expect(tokenizer.tokenize("120 + 7")).toEqual(["1", "2", "0", "Ġ+", "Ġ7"]);
  });
});

describe("byte pairs", () => {
  const texts = ["low low low lower newest newest"];

  it("joins the most frequent pair first, equal counts in sorted order", () => {
    const pairs = learnBytePairs(texts, { vocabulary: 256 + 4, specialTokens: [] });
    // "lo" and "ow" both occur four times, then "es" and six others twice.
    expect(pairs.merges).toEqual([
      ["l", "o"],
      ["lo", "w"],
      ["Ġ", "low"],
      ["e", "s"],
    ]);
    expect(pairs.tokens.slice(256)).toEqual(["lo", "low", "Ġlow", "es"]);
  });

  it("splits a text into pieces that make it up again", () => {
    const text = " 12 and\n\n  three's, ½ ";
    expect([...text.matchAll(new RegExp(PIECE_PATTERN, "gu"))].map(([piece]) => piece).join("")).toBe(text);
  });

  it("writes a file whose tokenizer gives back all 256 bytes' characters", () => {
    const pairs = learnBytePairs(texts, { vocabulary: 258, specialTokens: ["<s>"] });
    const small = new Tokenizer(tokenizerJson(pairs, ["<s>"]), { clean_up_tokenization_spaces: false });
    const text = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("");
    expect(small.decode(small.encode(text).ids, { skip_special_tokens: true })).toBe(text);
    expect(new Set(byteAlphabet()).size).toBe(256);
  });

  it("says so when the text is too small for the vocabulary", () => {
    expect(() => learnBytePairs(["ab"], { vocabulary: 300, specialTokens: [] })).toThrow(/give 257 tokens, not 300/);
  });
});
