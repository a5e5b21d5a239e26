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
  type Split,
} from "nibble-lab/data";
import { patternOf, sentences } from "./reading.js";

const world = data.pocket.world;
const train = data.pocket.text("train", { documents: 6000, seed: 4 });
const held = {
  validation: data.pocket.text("validation", { documents: 600 }),
  test: data.pocket.text("test", { documents: 600 }),
};

const unseen = {
  validation: data.pocket.text("validation", { documents: 400, wording: "unseen" }),
  test: data.pocket.text("test", { documents: 400, wording: "unseen" }),
};

/** The weights that are shipped learned this text: another digest means other data, so the model has to be trained again. */
const DIGESTS = {
  train: "4d4127b5d3b11495efbbfe1872a79bbd1a9f8e62c3db508401dd216bf6c1435a",
  validation: "1ba0a9d71ed66323a83bb35edc0e02a50f2d2e08b58bdbb51da087f04d1f5617",
  test: "32ab0e2b37c41a7531601be15b3e70bc415b8e0c228902cef82cefe642bbaab9",
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
    expect(() => data.pocket.text("train", { wording: "unseen" })).toThrow(/unseen.*"train".*"validation", "test"/);
  });
});

describe("pocket splits", () => {
  it("share no text", () => {
    const seen = new Set(train);
    for (const text of train) expect(splitOf(text)).toBe("train");
    for (const split of ["validation", "test"] as const) {
      for (const text of [...held[split], ...unseen[split]]) {
        expect(splitOf(text)).toBe(split);
        expect(seen.has(text)).toBe(false);
      }
    }
  });

  it("use the phrasings of training, or with unseen wording only others", () => {
    const usual = [...new Set([...train, ...held.validation, ...held.test].flatMap(statements))];
    for (const split of ["validation", "test"] as const) {
      const reworded = [...new Set([...unseen[split]].flatMap(statements))];
      const says = (list: readonly string[]) => (pattern: RegExp) => list.some((sentence) => pattern.test(sentence));
      expect(phrasingPatterns(split).filter(says(usual))).toEqual([]);
      expect(phrasingPatterns("train").filter(says(reworded))).toEqual([]);
      expect(phrasingPatterns(split).filter(says(reworded)).length).toBe(2 * RELATION_NAMES.length);
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

function phrasingPatterns(split: Split): RegExp[] {
  return RELATION_NAMES.flatMap((name) => {
    const relation: Relation = relations[name];
    const all: Phrasings[] = [relation.statements, relation.negations];
    return all.flatMap((phrasings) => phrasings[split]).map((phrasing) => patternOf(phrasing, relation, world));
  });
}
