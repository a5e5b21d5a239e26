import type { Choices } from "./random.js";
import { fill, relations, type Phrasings, type RelationName, type Split } from "./relations.js";
import type { Claim, Fact, World } from "./world.js";

/** What every writer works with. */
export interface Context {
  readonly world: World;
  readonly random: Choices;
  /** Whose sums it may use. */
  readonly split: Split;
  /** Whose phrasings, openings and plots it uses. */
  readonly wording: Split;
  /** The facts that may be asked about and judged; text may state all of them. */
  readonly asked: readonly Fact[];
}

/** A stretch of a text, and how much its tokens count in training: 0 = not at all, 1 = as usual. */
export interface Part {
  readonly text: string;
  readonly weight: number;
}

/** A text, with what it says about the world. */
export interface Draft {
  readonly text: string;
  /** Stated as true, and true. */
  readonly claims: readonly Claim[];
  /** Quoted, and marked as false in the text. */
  readonly rejected: readonly Claim[];
  /** The text in stretches; absent where all of it counts alike. */
  readonly parts?: readonly Part[];
}

export function phrase(context: Context, phrasings: Phrasings): string {
  return context.random.pick(phrasings[context.wording]);
}

/** One sentence that says `claim`. */
export function say(context: Context, claim: Claim): string {
  const { statements, negations } = relations[claim.relation];
  return fill(phrase(context, claim.negated ? negations : statements), claim.subject, claim.value);
}

export function ask(context: Context, fact: Fact): string {
  return fill(phrase(context, relations[fact.relation].questions), fact.subject, fact.value);
}

export function affirm(fact: Fact): Claim {
  return { ...fact, negated: false };
}

/** The same claim about another value of its relation: never true when affirmed, since relations are single-valued. */
export function mistaken(context: Context, fact: Fact): Fact {
  const others = context.world.values(fact.relation).filter((value) => value !== fact.value);
  return { ...fact, value: context.random.pick(others) };
}

export function fact(world: World, subject: string, relation: RelationName): Fact {
  const value = world.value(subject, relation);
  if (value === undefined) throw new RangeError(`[world] ${relation} does not apply to "${subject}".`);
  return { subject, relation, value };
}

/** All that holds of one name. */
export function factsAbout(world: World, subject: string): Fact[] {
  return world.facts.filter((candidate) => candidate.subject === subject);
}
