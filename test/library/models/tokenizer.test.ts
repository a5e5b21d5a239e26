import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FormatError, Tokenizer } from "nibble-lab";

type Json = Record<string, unknown>;

/** A tokenizer of letters, with what a test wants otherwise. */
function letters(changes: Json = {}, config: Json = {}): Tokenizer {
  const special = ["<s>", "</s>"].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const vocab = Object.fromEntries(["<s>", "</s>", ..."abc "].map((token, id) => [token, id]));
  const model = { type: "BPE", vocab, merges: [], unk_token: null, fuse_unk: false };
  const definition = {
    version: "1.0",
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: "Fuse" },
    model,
  };
  return new Tokenizer({ ...definition, ...changes }, { bos_token: "<s>", eos_token: "</s>", ...config });
}
const template = {
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] } },
  },
};

describe("tokenizer", () => {
  it.each<[string, Json, Json, boolean]>([
    ["neither says so", {}, {}, false],
    ["the flag says so", {}, { add_bos_token: true }, true],
    ["the template says so", template, {}, true],
    ["the flag overrules the template", template, { add_bos_token: false }, false],
    ["there is no BOS token", {}, { add_bos_token: true, bos_token: null }, false],
  ])("begins texts with BOS or not when %s", (_, definition, config, expected) => {
    const tokenizer = letters(definition, config);
    expect(tokenizer.addsBos).toBe(expected);
    expect(tokenizer.encode("ab")).toEqual(expected ? [0, 2, 3] : [2, 3]);
    expect(tokenizer.encode("ab", { bos: false })).toEqual([2, 3]);
    expect(tokenizer.encode("ab", { bos: true })).toEqual(tokenizer.bosToken === null ? [2, 3] : [0, 2, 3]);
  });

  it("reads special tokens as text or as objects, finds them in text, and leaves them out of what it decodes", () => {
    const tokenizer = letters({}, { eos_token: { content: "</s>" } });
    expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.vocabSize]).toEqual([0, 1, 6]);
    expect(tokenizer.encode("a</s>b")).toEqual([2, 1, 3]);
    expect(tokenizer.decode([0, 2, 3, 1])).toBe("ab");
    expect(tokenizer.decode([0, 2, 1], { special: true })).toBe("<s>a</s>");
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.token(4)).toBe("c");
  });

  it("says that a definition is none", () => {
    expect(() => new Tokenizer({}, {}, "here.json")).toThrow(FormatError);
    expect(() => new Tokenizer({}, {}, "here.json")).toThrow("here.json does not describe a tokenizer");
  });
});

const path = new URL("../../../../shared/data/tokenizers/20B_tokenizer.json", import.meta.url).pathname;
const present = existsSync(path);
if (!present) console.log(`skipped: GPT-NeoX's tokenizer, because ${path} is absent`);

it.skipIf(!present)(
  "decodes what it encoded with GPT-NeoX's tokenizer, and knows no BOS where no config names one",
  () => {
    const tokenizer = new Tokenizer(JSON.parse(readFileSync(path, "utf8")) as object, {});
    expect([tokenizer.addsBos, tokenizer.vocabSize]).toEqual([false, 50277]);
    for (const text of ["Hello world", "It was sunny — 25°C, naïve café.", "  two  spaces\n\ttab", "数学 🙂"]) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  },
);
