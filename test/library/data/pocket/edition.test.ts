import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  commonSense,
  createWorld,
  documentKinds,
  forbidden,
  pocketText,
  splitOfFact,
  strangersOf,
  type DocumentKind,
  type DocumentShares,
  type Split,
} from "nibble-lab/data";
import { allNames, questionReader, sentences, statementReader } from "./reading.js";

const world = createWorld(1, { edition: 2 });
const strangers = strangersOf(world);
const train = pocketText(world, "train", { documents: 6000, seed: 2 });
const written = (kind: DocumentKind, split: Split = "train", documents = 300) =>
  pocketText(world, split, { documents, shares: { [kind]: 1 }, wording: split === "train" ? "trained" : "unseen" });

/** Another digest means another text: then a tokenizer or model of this edition has to be made again. */
const DIGEST = "2977990cfb46beda2905c9d76057d09baf49ed47b3ad686490d29e19566812bc";

describe("the world of edition 2", () => {
  it("has more than 400 names, none the beginning of another, and none of edition 1 changes", () => {
    const names = [...allNames(world), ...allNames(strangers)];
    expect(allNames(world).length).toBeGreaterThanOrEqual(400);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(names.filter((other) => other.startsWith(name))).toEqual([name]);
    expect(createWorld(1).facts).toEqual(createWorld(1, { edition: 1 }).facts);
  });

  it("has false sayings, each about another fact, and as many liars as others", () => {
    expect(world.sayings.length).toBeGreaterThan(100);
    for (const saying of world.sayings) expect(world.isTrue({ ...saying, negated: false })).toBe(false);
    expect(new Set(world.sayings.map(({ relation, subject }) => relation + subject)).size).toBe(world.sayings.length);
    const people = world.names("person");
    expect(people.filter((person) => world.isReliable(person)).length).toBe(people.length / 2);
  });

  it("keeps one fact in five of every relation from being asked about", () => {
    for (const name of new Set(world.facts.map(({ relation }) => relation))) {
      const splits = world.facts.filter(({ relation }) => relation === name).map((fact) => splitOfFact(world, fact));
      const share = (split: Split) => splits.filter((each) => each === split).length / splits.length;
      expect(share("test")).toBeCloseTo(0.15, 1);
      expect(share("train")).toBeCloseTo(0.8, 1);
    }
  });
});

describe("text of edition 2", () => {
  it("has the same bytes for the same seed", () => {
    const { text } = pocketText(world, "train", { documents: 500 });
    expect(pocketText(createWorld(1, { edition: 2 }), "train", { documents: 500 }).text).toBe(text);
    expect(createHash("sha256").update(text).digest("hex")).toBe(DIGEST);
  });

  it("has every kind about as often as its share", () => {
    const { documents } = train;
    for (const [kind, { share }] of Object.entries(documentKinds)) {
      const found = documents.filter((document) => document.kind === kind).length / documents.length;
      expect(Math.abs(found - share[2] / 100)).toBeLessThan(0.02);
    }
    const total = Object.values(documentKinds).reduce((sum, { share }) => sum + share[2], 0);
    expect(total).toBe(100);
  });

  it("is made of its parts, and no claim that may be false counts in training but a narrator's", () => {
    for (const { parts, text, kind } of train.documents) {
      if (parts === undefined) continue;
      expect(parts.map((part) => part.text).join("")).toBe(text);
      if (kind === "copy") continue;
      for (const part of parts) if (/Claim:|Statement:|user\|>/.test(part.text)) expect(part.weight).toBe(0);
    }
  });

  it("takes shares of its own, and says which kinds there are", () => {
    expect(new Set(written("laws").documents.map(({ kind }) => kind))).toEqual(new Set(["laws"]));
    const wrong = { law: 1 } as unknown as DocumentShares;
    expect(() => pocketText(world, "train", { shares: wrong })).toThrow(/document kind "law".*Did you mean "laws"/);
    expect(() => pocketText(world, "train", { shares: { laws: 0 } })).toThrow(/shares is/);
  });

  it("has every kind in every split, in any world, among strangers too", () => {
    for (const seed of [3, 8])
      for (const each of [
        createWorld(seed, { edition: 2 }),
        strangersOf(createWorld(seed, { edition: 2 })),
        createWorld(seed),
      ])
        for (const kind of Object.keys(documentKinds))
          for (const split of ["train", "validation", "test"] as const)
            for (const wording of split === "train" ? (["trained"] as const) : (["trained", "unseen"] as const)) {
              const { documents } = pocketText(each, split, { documents: 2, wording, shares: { [kind]: 1 } });
              expect(documents.map((document) => document.kind)).toEqual([kind, kind]);
            }
  });

  it("leaves no slot open", () => {
    for (const text of train) expect(text).not.toMatch(/[{}]|undefined|\.\./);
  });
});

describe("splits of edition 2", () => {
  const read = statementReader(world);
  const ask = questionReader(world);
  const ASKING: readonly DocumentKind[] = [
    "questions",
    "recalled",
    "judged",
    "judgedOther",
    "choices",
    "chat",
    "narrator",
    "relation",
    "maybe",
  ];
  /** Every fact that a text asks about or judges. */
  const touched = (text: string) => {
    const bare = text.replace(
      /<\|\w+\|>|Claim: |Statement: |Question: |True or false\?|Is this true or false\?/g,
      "\n",
    );
    const lines = bare.split("\n").flatMap((line) => [line.trim(), ...sentences(line.trim())]);
    return lines.flatMap((line) => {
      const question = ask(line);
      return question === undefined ? read(line) : [question];
    });
  };

  it("never ask in training about a fact that is kept for tests", () => {
    const asked = train.documents.filter(({ kind }) => ASKING.includes(kind)).flatMap(({ text }) => touched(text));
    expect(asked.length).toBeGreaterThan(2000);
    const facts = asked as { subject: string; relation: (typeof world.facts)[number]["relation"] }[];
    expect(facts.filter((fact) => splitOfFact(world, fact) !== "train")).toEqual([]);
  });

  it("tell in training what is kept for tests all the same", () => {
    const told = train.documents
      .filter(({ kind }) => kind === "facts" || kind === "description")
      .flatMap(({ text }) => sentences(text).flatMap(read));
    const kept = new Set(
      told.filter((claim) => splitOfFact(world, claim) === "test").map((c) => c.relation + c.subject),
    );
    const all = world.facts.filter((fact) => splitOfFact(world, fact) === "test");
    expect(kept.size / all.length).toBeGreaterThan(0.95);
  });

  it("name no stranger in training", () => {
    const away = new Set(allNames(strangers));
    const words = new Set([...train, ...written("pairs"), ...written("copy")].flatMap((text) => text.match(/\w+/g)!));
    expect([...words].filter((word) => away.has(word))).toEqual([]);
    expect(
      [...written("pairs", "test")]
        .join(" ")
        .match(/\w+/g)!
        .some((word) => away.has(word)),
    ).toBe(true);
  });

  it("ask in training for no forbidden thing that is kept for tests", () => {
    const requests = [...written("requests", "train", 1000)].join("\n");
    for (const deed of forbidden.train) expect(requests).toContain(deed);
    for (const deed of [...forbidden.test, ...forbidden.validation]) expect(requests).not.toContain(deed);
    expect([...written("laws")].join("\n")).toContain(forbidden.test[0]);
  });

  it("share no run of eight words between training and tests in unseen wording", () => {
    // Within lines and turns, without an assistant's: how answers are given is the same everywhere.
    const grams = (text: string) =>
      text.split(/\n|<\|assistant\|>[^<]*|<\|\w+\|>/).flatMap((line) => {
        const words = line.match(/[\w|]+/g) ?? [];
        return words.slice(7).map((_, i) => words.slice(i, i + 8).join(" "));
      });
    const seen = new Set([...train].flatMap(grams));
    const kinds = Object.keys(documentKinds) as DocumentKind[];
    // Arithmetic tells its steps, common sense its few sentences, and copies repeat: these have other splits.
    const compared = kinds.filter((kind) => !["arithmetic", "commonSense", "copy", "choices"].includes(kind));
    for (const kind of compared) {
      const shared = [...written(kind, "test", 100)].flatMap(grams).filter((gram) => seen.has(gram));
      expect(shared, kind).toEqual([]);
    }
  });

  it("judge in training only some of common sense", () => {
    const judged = [...pocketText(world, "train", { documents: 6000, shares: { judgedOther: 1 } })].join("\n");
    const found = commonSense.filter(({ sentence, right, wrong }) =>
      [right, wrong].some((value) =>
        judged.toLowerCase().includes(sentence.replace("{v}", value).slice(1, -1).toLowerCase()),
      ),
    );
    expect(found.length / commonSense.length).toBeCloseTo(0.8, 1);
  });
});
