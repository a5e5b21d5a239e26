import { describe, expect, it } from "vitest";
import { createWorld, pocketText, SPLITS, type DocumentKind, type PocketDocument } from "nibble-lab/data";
import { sentences, statementReader } from "./reading.js";

const worlds = [createWorld(1), createWorld(5)];
const cases = worlds.flatMap((world) =>
  SPLITS.map(
    (split) => ({ world, split, seed: world.seed, wording: split === "train" ? "trained" : "unseen" }) as const,
  ),
);

function ofKinds(documents: readonly PocketDocument[], ...kinds: DocumentKind[]): PocketDocument[] {
  return documents.filter((document) => kinds.includes(document.kind));
}

describe.for(cases)("text of world $seed, $split, $wording wording", ({ world, split, wording }) => {
  const { documents } = pocketText(world, split, { documents: 600, seed: 3, wording });
  const read = statementReader(world);

  it("states nothing but what holds", () => {
    const told = ofKinds(documents, "facts", "description", "negations");
    expect(told.length).toBeGreaterThan(200);
    const readings = told
      .flatMap((document) => sentences(document.text))
      .map((sentence) => ({ sentence, claims: read(sentence) }));
    expect(readings.filter(({ claims }) => claims.length === 0)).toEqual([]);
    expect(readings.filter(({ claims }) => !claims.every((claim) => world.isTrue(claim)))).toEqual([]);
  });

  it("judges a claim as the world does, each way about as often", () => {
    const lines = ofKinds(documents, "verdicts").flatMap((document) => document.text.split("\n"));
    let held = 0;
    for (let index = 0; index < lines.length; index += 2) {
      const claim = read(lines[index]!.replace(/^Claim: /, ""))[0]!;
      const [, verdict, correction] = /^Verdict: (true|false)\. (.*)$/.exec(lines[index + 1]!)!;
      expect(String(world.isTrue(claim))).toBe(verdict);
      expect(world.isTrue(read(correction!)[0]!)).toBe(true);
      if (verdict === "true") held++;
    }
    expect(lines.length).toBeGreaterThan(80);
    expect(Math.abs(held / (lines.length / 2) - 0.5)).toBeLessThan(0.15);
  });

  it("answers yes-or-no questions by what holds", () => {
    const answers = ofKinds(documents, "questions").flatMap((document) =>
      [...document.text.matchAll(/^Answer: (Yes|No)\. (.*)$/gm)].map(([, word, reason]) => ({ word, reason: reason! })),
    );
    expect(answers.length).toBeGreaterThan(30);
    for (const { reason } of answers) expect(read(reason).every((claim) => world.isTrue(claim))).toBe(true);
  });

  it("computes right", () => {
    for (const { text } of ofKinds(documents, "arithmetic")) {
      const worked = [...text.matchAll(/(\d+) ([+-]) (\d+) = (\d+)\./g)].map((match) => match.slice(1));
      expect(worked.length).toBe(2);
      for (const [left, sign, right, result] of worked) {
        expect(Number(left) + (sign === "+" ? 1 : -1) * Number(right)).toBe(Number(result));
      }
      expect(/ has (\d+) \w+\.$/.exec(text)![1]).toBe(worked[1]![3]);
      expect(worked[1]![0]).toBe(worked[0]![3]);
    }
  });

  it("records what each document says", () => {
    for (const document of documents) {
      for (const claim of document.claims) expect(world.isTrue(claim)).toBe(true);
      for (const claim of document.rejected) expect(world.isTrue(claim)).toBe(false);
      expect(document.rejected.length === 0 || document.kind === "verdicts").toBe(true);
    }
  });

  it("leaves no slot open", () => {
    for (const { text } of documents) expect(text).not.toMatch(/[{}]|undefined/);
  });
});
