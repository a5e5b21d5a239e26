import { describe, expect, it } from "vitest";
import { KneserNey } from "../../../kernel/library/pocket/training/lib/kneser-ney.js";

const VOCABULARY = 5;
// A fixed pseudo-random walk (a linear congruence), long enough for every order to have n-grams met once and twice.
const text = Array.from({ length: 200 }, (_, index) => ((index * index * 7 + index * 3) % 11) % VOCABULARY);

/** The definition, counted anew at each call. */
function literal(order: number, ids: readonly number[], history: readonly number[], word: number): number {
  let probability = 1 / VOCABULARY;
  for (let length = 1; length <= Math.min(order, history.length + 1); length++) {
    const context = length === 1 ? [] : history.slice(-(length - 1));
    const counts = gramCounts(order, length, ids);
    const after = [...counts].filter(([gram]) => gram.split(",").slice(0, -1).join() === context.join());
    if (after.length === 0) break;
    const total = after.reduce((sum, [, count]) => sum + count, 0);
    const met = (times: number) => [...counts.values()].filter((count) => count === times).length;
    const discount = met(1) === 0 ? 0.5 : met(1) / (met(1) + 2 * met(2));
    const count = counts.get([...context, word].join()) ?? 0;
    probability = Math.max(count - discount, 0) / total + ((discount * after.length) / total) * probability;
  }
  return probability;
}

function gramCounts(order: number, length: number, ids: readonly number[]): Map<string, number> {
  const grams = (size: number) => ids.slice(size - 1).map((_, start) => ids.slice(start, start + size));
  const counts = new Map<string, number>();
  const source =
    length === order
      ? grams(length)
      : [...new Set(grams(length + 1).map(String))].map((gram) => gram.split(",").slice(1));
  for (const gram of source) counts.set(gram.join(), (counts.get(gram.join()) ?? 0) + 1);
  return counts;
}

describe("kneser-ney", () => {
  it.for([1, 2, 3, 4])("equals the definition at order %i", (order) => {
    const model = new KneserNey(order, VOCABULARY);
    model.count(text);
    for (let at = 0; at < 60; at++) {
      expect(model.probability(text, at)).toBeCloseTo(literal(order, text, text.slice(0, at), text[at]!), 12);
    }
  });

  it("gives probabilities that add up to one after any history, also one never met", () => {
    const model = new KneserNey(4, VOCABULARY);
    model.count(text);
    for (const history of [[], [0], [4, 4, 4], [1, 0, 3], [2, 2, 2, 2]]) {
      const total = Array.from({ length: VOCABULARY }, (_, word) =>
        model.probability([...history, word], history.length),
      );
      expect(total.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 12);
    }
  });

  it("says so when its keys would not be exact", () => {
    expect(() => new KneserNey(5, 2048)).toThrow(/2048 words to the power of 5/);
  });
});
