import { describe, expect, it } from "vitest";
import { createWorld, data, RELATION_NAMES, relations, type Relation } from "nibble-lab/data";
import { allNames } from "./reading.js";

const world = data.pocket.world;

describe("pocket world", () => {
  it("is the same for the same seed and another one for another", () => {
    expect(createWorld(1).facts).toEqual(world.facts);
    expect(createWorld(2).facts).not.toEqual(world.facts);
  });

  it("gives each thing a name of its own, which no other name begins with", () => {
    for (const seed of [1, 2, 3]) {
      const names = allNames(createWorld(seed));
      expect(names.length).toBe(240);
      for (const name of names) expect(names.filter((other) => other.startsWith(name))).toEqual([name]);
    }
  });

  it("has exactly one value of each relation for each of its subjects", () => {
    for (const relation of RELATION_NAMES) {
      const facts = world.facts.filter((fact) => fact.relation === relation);
      expect(facts.map((fact) => fact.subject)).toEqual(world.names(relations[relation].subject));
      for (const fact of facts) expect(world.values(relation)).toContain(fact.value);
    }
  });

  it("gives no value of a one-to-one relation twice", () => {
    for (const name of RELATION_NAMES) {
      const relation: Relation = relations[name];
      if (relation.oneToOne !== true) continue;
      const values = world.facts.filter((fact) => fact.relation === name).map((fact) => fact.value);
      expect(new Set(values).size).toBe(values.length);
    }
  });

  it("knows a claim from its denial", () => {
    for (const fact of world.facts) {
      expect(world.isTrue({ ...fact, negated: false })).toBe(true);
      expect(world.isTrue({ ...fact, negated: true })).toBe(false);
    }
    const [first] = world.facts;
    const other = world.values(first!.relation).find((value) => value !== first!.value)!;
    expect(world.isTrue({ ...first!, value: other, negated: false })).toBe(false);
    expect(world.isTrue({ ...first!, value: other, negated: true })).toBe(true);
  });
});

describe("pocket prompts", () => {
  it("are half true, and labelled by what they are about", () => {
    const prompts = data.pocket.prompts;
    expect(prompts.length).toBe(60);
    expect(prompts.filter((prompt) => prompt.truth).length).toBe(30);
    expect(new Set(prompts.map((prompt) => prompt.text)).size).toBe(60);
    expect(new Set(prompts.map((prompt) => prompt.label)).size).toBe(7);
  });
});
