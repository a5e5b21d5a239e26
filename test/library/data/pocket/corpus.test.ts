import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  data,
  isTestProblem,
  RELATION_NAMES,
  relations,
  splitOf,
  SPLITS,
  type Phrasings,
  type Relation,
} from "nibble-lab/data";
import { patternOf, sentences } from "./reading.js";

const world = data.pocket.world;
const train = data.pocket.text("train", { documents: 6000, seed: 4 });
const held = {
  validation: data.pocket.text("validation", { documents: 600 }),
  test: data.pocket.text("test", { documents: 600 }),
};

/** The weights that are shipped learned this text: another digest means other data, so the model has to be trained again. */
const DIGESTS = {
  train: "7d4fa9ed47f5db741b5109cfbe2ec2d7441fba5d50b27c18afd3b9308fc3cb17",
  validation: "7f942d0f8bbee2dc7914cd55272785ca4d4d0b4cf387dbef1359832b2259ccd3",
  test: "e43dfde40462ab2f469ed91fe68f387c07f1f4363aa9b93ad0c538c0c74dcf4e",
};

describe("pocket text", () => {
  it.for(SPLITS)("has the same bytes for the same seed: %s", (split) => {
    const { text } = data.pocket.text(split, { documents: 300 });
    expect(data.pocket.text(split, { documents: 300 }).text).toBe(text);
    expect(createHash("sha256").update(text).digest("hex")).toBe(DIGESTS[split]);
    expect(data.pocket.text(split, { documents: 300, seed: 1 }).text).not.toBe(text);
  });

  it("writes a document that does not depend on how many are asked for", () => {
    const few = [...data.pocket.text("train", { documents: 5 })];
    expect([...data.pocket.text("train", { documents: 50 })].slice(0, 5)).toEqual(few);
  });

  it("stops after the document that reaches the wished characters", () => {
    const lengths = [...data.pocket.text("test", { characters: 2000 })].map((text) => text.length);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    expect(total).toBeGreaterThanOrEqual(2000);
    expect(total - lengths.at(-1)!).toBeLessThan(2000);
  });

  it("says what is allowed when a split or an option is wrong", () => {
    expect(() => data.pocket.text("dev" as "test")).toThrow(/Unknown split "dev".*train, validation, test/);
    expect(() => data.pocket.text("test", { document: 5 } as object)).toThrow(
      /Unknown option "document".*Did you mean/,
    );
    expect(() => data.pocket.text("test", { documents: 0 })).toThrow(/documents is 0.*at least 1/);
  });
});

describe("pocket splits", () => {
  it("share no text", () => {
    const seen = new Set(train);
    for (const text of train) expect(splitOf(text)).toBe("train");
    for (const split of ["validation", "test"] as const) {
      for (const text of held[split]) {
        expect(splitOf(text)).toBe(split);
        expect(seen.has(text)).toBe(false);
      }
    }
  });

  it("keep the phrasings of validation and test out of training, and use them there", () => {
    const trained = [...new Set([...train].flatMap(statements))];
    for (const split of ["validation", "test"] as const) {
      const tested = [...new Set([...held[split]].flatMap(statements))];
      const other = split === "test" ? "validation" : "test";
      let used = 0;
      for (const { pattern } of phrasingPatterns(split)) {
        expect(trained.filter((sentence) => pattern.test(sentence))).toEqual([]);
        if (tested.some((sentence) => pattern.test(sentence))) used++;
      }
      for (const { pattern } of phrasingPatterns(other))
        expect(tested.some((sentence) => pattern.test(sentence))).toBe(false);
      expect(used).toBe(2 * RELATION_NAMES.length);
    }
  });

  it("keep the sums of test out of training", () => {
    const operands = (text: string) => {
      const [first, second] = [...text.matchAll(/(\d+) ([+-]) (\d+) =/g)].map(([, left, sign, right]) => {
        return { left: Number(left), by: Number(right) * (sign === "+" ? 1 : -1) };
      });
      return isTestProblem(first!.left, first!.by, second!.by);
    };
    const arithmetic = (documents: typeof train.documents) =>
      documents.filter((document) => document.kind === "arithmetic");
    expect(arithmetic(held.test.documents).every((document) => operands(document.text))).toBe(true);
    expect(arithmetic(train.documents).some((document) => operands(document.text))).toBe(false);
  });
});

function statements(text: string): string[] {
  return sentences(text.replace(/^(Claim|Question|Answer|Verdict): ((Yes|No|true|false)\. )?/gm, ""));
}

function phrasingPatterns(split: "validation" | "test"): { phrasing: string; pattern: RegExp }[] {
  return RELATION_NAMES.flatMap((name) => {
    const relation: Relation = relations[name];
    const all: Phrasings[] = [relation.statements, relation.negations];
    return all
      .flatMap((phrasings) => phrasings[split])
      .map((phrasing) => ({ phrasing, pattern: patternOf(phrasing, relation, world) }));
  });
}
