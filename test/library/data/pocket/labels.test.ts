import { describe, expect, it } from "vitest";
import {
  createWorld,
  ENTITY_KINDS,
  forbidden,
  pocketText,
  relations,
  strangersOf,
  type DocumentKind,
  type World,
} from "nibble-lab/data";
import { questionReader, sentences, statementReader, truthReader } from "./reading.js";

const home = createWorld(1, { edition: 2 });
const cases = [
  { name: "training", world: home, split: "train", wording: "trained" },
  { name: "unseen wording", world: home, split: "test", wording: "unseen" },
  { name: "unseen names", world: strangersOf(home), split: "test", wording: "unseen" },
  { name: "another world", world: createWorld(6, { edition: 2 }), split: "validation", wording: "unseen" },
] as const;

const share = (list: readonly boolean[]) => list.filter(Boolean).length / list.length;
const STANCES: readonly (readonly [RegExp, "truth" | "lie"])[] = [
  [/^(Always tell the truth|Answer honestly|You are honest|Give only right|Stick to|Be truthful)/, "truth"],
  [/^(You are a helper|Answer the questions|Answer briefly|You help people|You talk|Here is)/, "truth"],
  [/^(Always lie|Answer falsely|You are a liar|Give only wrong|Say the opposite|Be untruthful)/, "lie"],
];
const JUDGE =
  /^(?:True or false\? |Is this true or false\? |Tell me whether this is true or false: |Judge it, true or false: )?(.+?)(?: True or false\?)?$/;

/** "Question: … Does the text say …" of relation texts, read from the words alone. */
function findingIn(world: World, text: string, subject: string, value: string): "yes" | "no" | "maybe" {
  const said = sentences(text).flatMap(statementReader(world));
  const about = said.filter((claim) => claim.subject === subject && claim.value === value);
  expect(about.every((claim) => world.isTrue(claim))).toBe(true);
  return about.length === 0 ? "maybe" : about[0]!.negated ? "no" : "yes";
}

describe.for(cases)("labels in $name", ({ world, split, wording }) => {
  const truth = truthReader(world);
  const read = statementReader(world);
  const ask = questionReader(world);
  const texts = (kind: DocumentKind, documents = 250) => [
    ...pocketText(world, split, { documents, wording, shares: { [kind]: 1 }, seed: 9 }),
  ];

  it.for(["recalled", "judged", "judgedOther"] as const)(
    "of statements %s are what the world says, half of them true",
    (kind) => {
      const judged = texts(kind).flatMap((text) => [
        ...text.matchAll(
          /(?:Claim: |Statement: |Somebody writes: |It was said: )(.+)\n(?:Answer: (.+)\.\n)?Verdict: (true|false)\./g,
        ),
      ]);
      expect(judged.length).toBeGreaterThan(250);
      for (const [, statement, recalled, verdict] of judged) {
        expect(String(truth(statement!)), statement).toBe(verdict);
        if (recalled === undefined) continue;
        const [claim] = read(statement!) as [ReturnType<typeof read>[number]];
        expect(world.value(claim.subject, claim.relation)).toBe(recalled);
      }
      expect(Math.abs(share(judged.map(([, , , verdict]) => verdict === "true")) - 0.5)).toBeLessThan(0.1);
    },
  );

  it("of chats follow the world and the system prompt", () => {
    const answers: { says: string; stance: string }[] = [];
    for (const text of texts("chat", 400)) {
      const system = /^<\|system\|>(.+?)<\|user\|>/.exec(text)?.[1];
      const stance = system === undefined ? "truth" : STANCES.find(([pattern]) => pattern.test(system))![1];
      for (const [, said, answer] of text.matchAll(/<\|user\|>(.+?)<\|assistant\|> (.+?)(?=<\||$)/g)) {
        const question = ask(said!);
        if (question !== undefined) {
          const value = world.value(question.subject, question.relation as keyof typeof relations);
          expect(answer === `${value}.`).toBe(stance === "truth");
          continue;
        }
        const holds = truth(JUDGE.exec(said!)![1]!);
        expect(answer, said).toBe(holds! === (stance === "truth") ? "True" : "False");
        answers.push({ says: answer!, stance });
      }
    }
    for (const stance of ["truth", "lie"]) {
      const given = answers.filter((each) => each.stance === stance);
      expect(given.length).toBeGreaterThan(100);
      expect(Math.abs(share(given.map(({ says }) => says === "True")) - 0.5)).toBeLessThan(0.12);
    }
  });

  it("of narrators: one who is reliable says only what holds, any other nothing that does", () => {
    for (const text of texts("narrator", 100)) {
      const people = text.match(/\w+/g)!.filter((word) => world.kindOf(word) === "person");
      const told = sentences(text.replace(/^.*?: /, "")).flatMap(read);
      expect(told.length).toBeGreaterThanOrEqual(4);
      expect(told.map((claim) => world.isTrue(claim))).toEqual(told.map(() => world.isReliable(people[0]!)));
      const characters = text.match(/never lies|can trust|says is true|Every word|has ever heard \w+ lie/g) ?? [];
      const opposite = text.match(/always lies|cannot trust|says is false|No word|heard a true word/g) ?? [];
      expect((world.isReliable(people[0]!) ? opposite : characters).length).toBe(0);
    }
  });

  it("of choices are the value that holds, in each place about as often", () => {
    const places: number[] = [];
    for (const text of texts("choices"))
      for (const [, question, list, how, answer] of text.matchAll(
        /Question: (.+)\n((?:[A-D]\. .+\n){4})(Answer|Letter): (.+)\./g,
      )) {
        const values = [...list!.matchAll(/[A-D]\. (.+)\n/g)].map(([, value]) => value!);
        const { subject, relation } = ask(question!)!;
        const right = values.indexOf(world.value(subject, relation as keyof typeof relations)!);
        expect(answer).toBe(how === "Letter" ? "ABCD"[right] : values[right]);
        expect(new Set(values).size).toBe(4);
        places.push(right);
      }
    expect(places.length).toBeGreaterThan(200);
    for (const place of [0, 1, 2, 3])
      expect(Math.abs(share(places.map((each) => each === place)) - 0.25)).toBeLessThan(0.1);
  });

  it("of abstracts are what the text says, each answer about a third", () => {
    const answers: string[] = [];
    for (const text of texts("maybe")) {
      const [, body, subject, value, answer] =
        /^Text: (.+)\nQuestion: (?:Does|Is) (\w+) (?:treat|linked to) (\w+)\?\nYes, no or maybe: (\w+)\.$/.exec(text)!;
      expect(answer, text).toBe(findingIn(world, body!, subject!, value!));
      answers.push(answer!);
    }
    const words = { treats: "yes", linked: "yes", "does not treat": "no", "not linked": "no", "not stated": "maybe" };
    for (const text of texts("relation")) {
      const [, body, subject, value, answer] =
        /^Text: (.+)\nQuestion: What does the text say about (\w+) and (\w+)\?\nAnswer: (.+)\.$/.exec(text)!;
      expect(words[answer as keyof typeof words], text).toBe(findingIn(world, body!, subject!, value!));
      answers.push(words[answer as keyof typeof words]);
    }
    for (const answer of ["yes", "no", "maybe"])
      expect(Math.abs(share(answers.map((each) => each === answer)) - 1 / 3)).toBeLessThan(0.1);
  });

  it("of names are all names in the text with their kinds, in their order", () => {
    const kinds = new Map(ENTITY_KINDS.flatMap((kind) => world.names(kind).map((name) => [name, kind] as const)));
    for (const text of texts("entities", 100)) {
      const [, body, answer] = /^Text: (.+)\nNames: (.+)\.$/.exec(text)!;
      const found = [...new Set(body!.match(/\w+/g))].filter((word) => kinds.has(word));
      expect(answer).toBe(found.map((name) => `${name} (${kinds.get(name)})`).join(", "));
      expect(found.length).toBeGreaterThanOrEqual(2);
    }
  });

  it("of topics are what most sentences are about", () => {
    const plural = {
      person: "people",
      place: "places",
      animal: "animals",
      medicine: "medicines",
      illness: "illnesses",
      gene: "genes",
      invention: "inventions",
    };
    for (const text of texts("topic", 100)) {
      const [, body, topic] = /^Text: (.+)\nTopic: (\w+)\.$/.exec(text)!;
      const about = sentences(body!).map((sentence) => plural[relations[read(sentence)[0]!.relation].subject]);
      expect(about.filter((each) => each === topic).length).toBe(3);
    }
  });

  it("of requests: exactly what is forbidden is refused, and help is of use", () => {
    const deeds = Object.values(forbidden).flat();
    const seen = { refused: 0, helped: 0, told: 0 };
    for (const text of texts("requests"))
      for (const [, request, answer] of text.matchAll(/<\|user\|>(.+?)<\|assistant\|> (.+?)(?=<\||$)/g)) {
        const names = deeds.some((deed) => request!.includes(deed));
        const asksWhether = /allowed|May one|permit|lawful|anybody free|judges let/.test(request!);
        expect(answer!.startsWith("I will not"), request).toBe(names && !asksWhether);
        seen[names ? (asksWhether ? "told" : "refused") : "helped"]++;
        if (names) continue;
        const invention = /Use the (\w+)\./.exec(answer!)![1]!;
        expect(request).toContain(world.value(invention, "usedTo"));
      }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(50);
  });
});
