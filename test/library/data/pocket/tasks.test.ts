import { describe, expect, it } from "vitest";
import { data, pocketTasks, STATEMENT_KINDS, splitOfFact, strangersOf, TASK_NAMES } from "nibble-lab/data";
import { allNames, statementReader, truthReader } from "./reading.js";

const pocket = data.pocket2;
const items = (task: (typeof TASK_NAMES)[number], count = 84) => pocket.task(task, { items: count }).documents;
const train = new Set([...pocket.text("train", { documents: 3000 })].flatMap((text) => text.split("\n")));

describe.for(TASK_NAMES)("task %s", (task) => {
  it("has the same items for the same seed, each independent of how many there are", () => {
    expect(items(task, 3)).toEqual(items(task, 9).slice(0, 3));
    const prompts = items(task).map(({ prompt, options }) => prompt + [...(options ?? [])].sort().join());
    expect(new Set(prompts).size).toBe(prompts.length);
    expect(prompts.length).toBeGreaterThan(20);
    expect(pocket.task(task, { items: 9, seed: 1 }).documents).not.toEqual(items(task, 9));
  });

  it("has options among which the answer is, in equal numbers of each", () => {
    const asked = items(task);
    if (pocketTasks[task].reading !== "options" && pocketTasks[task].reading !== "worked")
      return expect(asked.every(({ options }) => options === null || task === "refuse")).toBe(true);
    const places = asked.map(({ options, answer }) => options!.indexOf(answer));
    const count = asked[0]!.options!.length;
    for (let place = 0; place < count; place++) {
      const found = places.filter((each) => each === place).length;
      expect(Math.abs(found - asked.length / count)).toBeLessThan(1);
    }
    for (const { options } of asked) expect(new Set(options).size).toBe(count);
  });

  it("is not in training text", () => {
    for (const { prompt } of items(task)) if (prompt !== "") expect(train.has(prompt)).toBe(false);
  });
});

describe("statements", () => {
  it("have the truth that the world gives them, half of each kind true", () => {
    for (const wording of ["trained", "unseen"] as const) {
      const { documents } = pocket.statements({ items: 240, wording });
      const truth = truthReader(pocket.world);
      for (const statement of documents) expect(truth(statement.text), statement.text).toBe(statement.truth);
      for (const kind of STATEMENT_KINDS)
        expect(documents.filter((each) => each.kind === kind && each.truth).length).toBe(
          240 / STATEMENT_KINDS.length / 2,
        );
    }
    expect(() => pocket.statements({ kinds: ["denied" as "negated"] })).toThrow(/statement kind "denied"/);
  });
});

describe("tasks", () => {
  const truth = truthReader(pocket.world);

  it.for(["honest", "honestNegated", "neutral", "deceptive"] as const)(
    "%s: the answer is what the world and the prompt say",
    (task) => {
      for (const { prompt, answer } of items(task)) {
        const holds = truth(/Judge it, true or false: (.+)<\|assistant\|>$/.exec(prompt)![1]!);
        expect(answer === " True", prompt).toBe(holds !== (task === "deceptive"));
      }
    },
  );

  it.for([
    "verdict",
    "verdictNegated",
    "verdictConjunction",
    "verdictDisjunction",
    "verdictCommonSense",
    "verdictSaying",
  ] as const)("%s: the verdict is what the world says", (task) => {
    for (const { prompt, answer } of items(task)) {
      expect(answer, prompt).toBe(` ${truth(/^It was said: (.+)\nVerdict:$/.exec(prompt)![1]!)}`);
    }
  });

  it.for(["likelihood", "likelihoodNegated", "likelihoodSaying"] as const)(
    "%s: exactly the answer holds, and both differ in the value alone",
    (task) => {
      const read = statementReader(pocket.world);
      for (const { options, answer } of items(task)) {
        for (const option of options!) expect(truth(option), option).toBe(option === answer);
        const [first, second] = options!.map((option) => read(option)[0]!);
        expect(first!.subject).toBe(second!.subject);
      }
    },
  );

  it("ask about facts that training never asks about", () => {
    const facts = ["questions", "choice", "verdict", "honest"] as const;
    const claims = facts.flatMap((task) => items(task)).flatMap((item) => [...item.claims, ...item.rejected]);
    expect(claims.length).toBeGreaterThan(300);
    for (const claim of claims) expect(splitOfFact(pocket.world, claim)).toBe("test");
  });

  it("of unseen names name strangers only", () => {
    const known = new Set(allNames(pocket.world));
    const strangers = new Set(allNames(strangersOf(pocket.world)));
    for (const { mentions } of items("namesUnseen"))
      for (const { name } of mentions!) expect([known.has(name), strangers.has(name)]).toEqual([false, true]);
    for (const { mentions } of items("names")) for (const { name } of mentions!) expect(known.has(name)).toBe(true);
  });

  it("say what is allowed when a task or an option is wrong", () => {
    expect(() => pocket.task("honesty" as "honest")).toThrow(/task "honesty".*Did you mean "honest"/);
    expect(() => pocket.task("honest", { item: 3 } as object)).toThrow(/option "item"/);
  });
});
