import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { Tokenizer } from "nibble-lab";
import {
  CHAT_TEMPLATE,
  CHAT_TOKENS,
  chatText,
  data,
  DOCUMENT_SEPARATOR,
  strangersOf,
  type Message,
} from "nibble-lab/data";
import { allNames } from "../data/pocket/reading.js";

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const folder = "../../../kernel/library/pocket/training/tokenizer/";
const json = read(`${folder}tokenizer.json`) as { model: { vocab: Record<string, number> } };
const config = read(`${folder}tokenizer_config.json`) as { chat_template: string };
const golden = read("../../fixtures/pocket-tokenizer-2.json") as {
  strings: { text: string; special: boolean; ids: number[] }[];
  heldOut: { text: string; ids: number[] }[];
  chats: { messages: Message[]; generate: boolean; text: string; ids: number[] }[];
};
const engine = new Engine(json, config);
const tokenizer = new Tokenizer(json, config);
const encode = (text: string) => tokenizer.encode(text, { bos: false });

describe("the tokenizer of edition 2", () => {
  it("has 3,072 entries, the separator and the chat's tokens first", () => {
    expect(Object.values(json.model.vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: 3072 }, (_, id) => id));
    const special = [DOCUMENT_SEPARATOR, ...Object.values(CHAT_TOKENS)];
    expect(special.map((token) => encode(token))).toEqual([[0], [1], [2], [3]]);
    expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.addsBos]).toEqual([0, 0, true]);
  });

  it.for(golden.strings)(
    "gives the identifiers of Python's tokenizers for $text, special tokens $special",
    ({ text, special, ids }) => {
      expect(engine.encode(text, { add_special_tokens: special }).ids).toEqual(ids);
    },
  );

  it("gives the identifiers of Python's tokenizers for held-out text, and the text back", () => {
    const unseen = data.pocket2.text("test", { documents: 40, wording: "unseen" });
    expect(golden.heldOut.map(({ text }) => text)).toEqual([
      ...data.pocket2.text("test", { documents: 40 }),
      ...unseen,
    ]);
    for (const { text, ids } of golden.heldOut) {
      expect(encode(text)).toEqual(ids);
      expect(tokenizer.decode(ids, { special: true })).toBe(text);
    }
  });

  it("writes chats as its template does", () => {
    expect(config.chat_template).toBe(CHAT_TEMPLATE);
    for (const { messages, generate, text, ids } of golden.chats) {
      expect(DOCUMENT_SEPARATOR + chatText(messages, { generate })).toBe(text);
      expect(encode(text)).toEqual(ids);
    }
  });

  it("writes the chats of its training text as its template does", () => {
    for (const text of data.pocket2.text("train", { documents: 50, shares: { chat: 1 } })) {
      const turns = [...text.matchAll(/<\|(\w+)\|>([^<]*)/g)].map(([, role, content]): Message => {
        const answer = role === "assistant";
        return { role: role as Message["role"], content: answer ? content!.slice(1) : content! };
      });
      expect(chatText(turns)).toBe(text);
    }
  });

  it("needs few tokens for names: near one for those of its world, two or three for strangers", () => {
    const tokens = (names: readonly string[]) =>
      names.reduce((sum, name) => sum + encode(` ${name}`).length, 0) / names.length;
    expect(tokens(allNames(data.pocket2.world))).toBeLessThan(1.4);
    expect(tokens(allNames(strangersOf(data.pocket2.world)))).toBeLessThan(3);
    expect(encode(" 120").map((id) => tokenizer.token(id))).toEqual(["Ġ1", "2", "0"]);
  });

  it("never joins what a document's parts divide", () => {
    for (const { parts, text } of data.pocket2.text("train", { documents: 2000 }).documents)
      if (parts !== undefined) expect(parts.flatMap((part) => encode(part.text))).toEqual(encode(text));
  });
});
