import { describe, expect, it } from "vitest";
import { OptionError } from "nibble-lab";
import { readTokens } from "../../../kernel/library/lib/data/tokens.js";
import { Rows } from "../../../kernel/library/lib/training/rows.js";

const letters = { encode: (text: string) => Array.from(text, (letter) => letter.charCodeAt(0)), begin: 1, end: null };

describe("rows", () => {
  it("make every token a target once an epoch, each after its own predecessor, in an order that the seed decides", () => {
    const tokens = Int32Array.from({ length: 41 }, (_, i) => 100 + i);
    const epochs = (seed: number) => {
      const rows = new Rows(tokens, { length: 8, seed });
      expect(rows.count).toBe(5);
      return [0, 1].map(() => rows.next(5));
    };
    const [first, second] = epochs(3) as [ReturnType<Rows["next"]>, ReturnType<Rows["next"]>];
    for (const { inputs, targets } of [first, second]) {
      expect([...targets].sort((a, b) => a - b)).toEqual([...tokens.slice(1)]);
      expect([...targets].map((target) => target - 1)).toEqual([...inputs]);
    }
    expect(second.inputs).not.toEqual(first.inputs);
    expect(epochs(3)[0]!.inputs).toEqual(first.inputs);
    expect(epochs(4)[0]!.inputs).not.toEqual(first.inputs);
  });

  it("need one row", () => {
    expect(() => new Rows(new Int32Array(8), { length: 8, seed: 0 })).toThrow(OptionError);
    expect(() => new Rows(new Int32Array(8), { length: 8, seed: 0 })).toThrow(
      "[train] data has 8 tokens, a row needs length + 1 = 9. Give more text or a smaller length.",
    );
  });
});

describe("tokens of a source", () => {
  it("join documents with their begin token, and take ids as they are", () => {
    expect([...readTokens(["ab", "c"], letters)]).toEqual([1, 97, 98, 1, 99]);
    expect([...readTokens("ab", { ...letters, begin: null, end: 2 })]).toEqual([97, 98, 2]);
    expect([...readTokens([Int32Array.of(7, 8), "a"], letters)]).toEqual([7, 8, 1, 97]);
    expect([...readTokens(Int32Array.of(7, 8), letters)]).toEqual([7, 8]);
  });

  it("read no more documents than needed", () => {
    let read = 0;
    const endless = (function* () {
      for (;;) {
        read++;
        yield "abcd";
      }
    })();
    expect(readTokens(endless, letters, 12).length).toBe(15);
    expect(read).toBe(3);
  });
});
