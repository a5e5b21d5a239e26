import { ENTITY_KINDS, inventNames, takeNames, type EntityKind } from "./names.js";
import { Choices } from "./random.js";
import { RELATION_NAMES, relations, type Relation, type RelationName } from "./relations.js";

/**
 * The generator's editions: the same arguments give the same bytes within one. The shipped model learned edition 1; edition 2 is
 * larger and has every kind of text.
 */
export const EDITIONS = [1, 2] as const;
export type Edition = (typeof EDITIONS)[number];

/** How many of each kind a world holds. */
const POPULATIONS: Readonly<Record<Edition, Readonly<Record<EntityKind, number>>>> = {
  1: { person: 64, place: 48, animal: 32, medicine: 24, illness: 24, gene: 24, invention: 24 },
  2: { person: 120, place: 80, animal: 56, medicine: 44, illness: 44, gene: 44, invention: 44 },
};
/** One fact in so many has a false saying about it. */
const FACTS_PER_SAYING = 8;

/** That `relation` holds between `subject` and `value`. */
export interface Fact {
  readonly subject: string;
  readonly relation: RelationName;
  readonly value: string;
}

/** What a sentence says: a fact, or that it does not hold. */
export interface Claim extends Fact {
  readonly negated: boolean;
}

export const PRONOUNS = ["she", "he"] as const;
export type Pronoun = (typeof PRONOUNS)[number];

/**
 * An invented world: named entities and single-valued relations between them, all decided by one seed.
 *
 *     const world = createWorld(1);
 *     world.value(world.names("person")[0], "livesIn");
 */
export interface World {
  readonly seed: number;
  readonly edition: Edition;
  readonly facts: readonly Fact[];
  /** What people in this world wrongly believe, each about another fact. */
  readonly sayings: readonly Fact[];
  names(kind: EntityKind): readonly string[];
  /** Undefined when the relation does not apply to the subject. */
  value(subject: string, relation: RelationName): string | undefined;
  /** Every value that the relation takes somewhere in this world's vocabulary. */
  values(relation: RelationName): readonly string[];
  kindOf(name: string): EntityKind | undefined;
  pronoun(person: string): Pronoun;
  /** Whether a person, telling about the world, tells the truth; the others never do. */
  isReliable(person: string): boolean;
  isTrue(claim: Claim): boolean;
}

export interface WorldOptions {
  /** Default 1. */
  readonly edition?: Edition;
  /** Worlds whose names do not come up in this one. */
  readonly avoid?: readonly World[];
}

/** The world of a seed; the shipped model learned the world of seed 1 in edition 1. */
export function createWorld(seed = 1, { edition = 1, avoid = [] }: WorldOptions = {}): World {
  const random = new Choices("pocket world", seed);
  const names = inventPopulation(random, POPULATIONS[edition], avoid);
  const kinds = new Map(ENTITY_KINDS.flatMap((kind) => names[kind].map((name) => [name, kind] as const)));
  const pronouns = new Map(names.person.map((person) => [person, random.pick(PRONOUNS)]));
  const valuesOf = (relation: RelationName) => vocabulary(relations[relation], names);
  const facts = RELATION_NAMES.flatMap((relation) => relate(relation, names, random));
  const lookup = new Map(facts.map((fact) => [`${fact.relation} ${fact.subject}`, fact.value]));
  const value = (subject: string, relation: RelationName) => lookup.get(`${relation} ${subject}`);
  const reliable = halfOf(names.person, new Choices("pocket narrators", seed, edition));
  return {
    seed,
    edition,
    facts,
    sayings: inventSayings(facts, valuesOf, new Choices("pocket sayings", seed, edition)),
    value,
    names: (kind) => names[kind],
    values: valuesOf,
    kindOf: (name) => kinds.get(name),
    pronoun(person) {
      const pronoun = pronouns.get(person);
      if (pronoun === undefined) throw new RangeError(`[world] nobody is called "${person}".`);
      return pronoun;
    },
    isReliable: (person) => reliable.has(person),
    isTrue: (claim) => (value(claim.subject, claim.relation) === claim.value) !== claim.negated,
  };
}

function inventPopulation(
  random: Choices,
  population: Readonly<Record<EntityKind, number>>,
  avoid: readonly World[],
): Record<EntityKind, string[]> {
  const taken = new Set<string>();
  for (const world of avoid) for (const kind of ENTITY_KINDS) takeNames(world.names(kind), taken);
  const entries = ENTITY_KINDS.map((kind) => [kind, inventNames(kind, population[kind], random, taken)] as const);
  return Object.fromEntries(entries) as Record<EntityKind, string[]>;
}

function inventSayings(
  facts: readonly Fact[],
  valuesOf: (relation: RelationName) => readonly string[],
  random: Choices,
): Fact[] {
  const believed = random.sample(facts, Math.floor(facts.length / FACTS_PER_SAYING));
  return believed.map((fact) => {
    const others = valuesOf(fact.relation).filter((value) => value !== fact.value);
    return { ...fact, value: random.pick(others) };
  });
}

function halfOf(names: readonly string[], random: Choices): ReadonlySet<string> {
  return new Set(random.sample(names, Math.floor(names.length / 2)));
}

function vocabulary(relation: Relation, names: Record<EntityKind, string[]>): readonly string[] {
  return typeof relation.value === "string" ? names[relation.value] : relation.value;
}

function relate(name: RelationName, names: Record<EntityKind, string[]>, random: Choices): Fact[] {
  const relation: Relation = relations[name];
  const values = vocabulary(relation, names);
  const subjects = names[relation.subject];
  const chosen = relation.oneToOne ? random.shuffle(values) : subjects.map(() => random.pick(values));
  return subjects.map((subject, index) => ({ subject, relation: name, value: chosen[index] as string }));
}
