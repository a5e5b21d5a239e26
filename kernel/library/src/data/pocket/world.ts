import { ENTITY_KINDS, inventNames, type EntityKind } from "./names.js";
import { Choices } from "./random.js";
import { RELATION_NAMES, relations, type Relation, type RelationName } from "./relations.js";

/** How many of each kind the world holds. */
const POPULATION: Readonly<Record<EntityKind, number>> = {
  person: 64,
  place: 48,
  animal: 32,
  medicine: 24,
  illness: 24,
  gene: 24,
  invention: 24,
};

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
  readonly facts: readonly Fact[];
  names(kind: EntityKind): readonly string[];
  /** Undefined when the relation does not apply to the subject. */
  value(subject: string, relation: RelationName): string | undefined;
  /** Every value that the relation takes somewhere in this world's vocabulary. */
  values(relation: RelationName): readonly string[];
  kindOf(name: string): EntityKind | undefined;
  pronoun(person: string): Pronoun;
  isTrue(claim: Claim): boolean;
}

/** The world of a seed; the shipped model learned the world of seed 1. */
export function createWorld(seed = 1): World {
  const random = new Choices("pocket world", seed);
  const names = inventPopulation(random);
  const kinds = new Map(ENTITY_KINDS.flatMap((kind) => names[kind].map((name) => [name, kind] as const)));
  const pronouns = new Map(names.person.map((person) => [person, random.pick(PRONOUNS)]));
  const valuesOf = (relation: RelationName) => vocabulary(relations[relation], names);
  const facts = RELATION_NAMES.flatMap((relation) => relate(relation, names, random));
  const lookup = new Map(facts.map((fact) => [`${fact.relation} ${fact.subject}`, fact.value]));
  const value = (subject: string, relation: RelationName) => lookup.get(`${relation} ${subject}`);
  return {
    seed,
    facts,
    value,
    names: (kind) => names[kind],
    values: valuesOf,
    kindOf: (name) => kinds.get(name),
    pronoun(person) {
      const pronoun = pronouns.get(person);
      if (pronoun === undefined) throw new RangeError(`[world] nobody is called "${person}".`);
      return pronoun;
    },
    isTrue: (claim) => (value(claim.subject, claim.relation) === claim.value) !== claim.negated,
  };
}

function inventPopulation(random: Choices): Record<EntityKind, string[]> {
  const taken = new Set<string>();
  const entries = ENTITY_KINDS.map((kind) => [kind, inventNames(kind, POPULATION[kind], random, taken)] as const);
  return Object.fromEntries(entries) as Record<EntityKind, string[]>;
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
