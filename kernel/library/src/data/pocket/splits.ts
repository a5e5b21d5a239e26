import { commonSense } from "./common-sense.js";
import { Choices, hash32 } from "./random.js";
import { RELATION_NAMES, type Split } from "./relations.js";
import type { Fact, World } from "./world.js";

const BUCKETS = 20;

/** Where a text belongs is decided by the text itself, so that no text can be in two splits. */
export function splitOf(text: string): Split {
  const bucket = hash32(text) % BUCKETS;
  return bucket === 0 ? "test" : bucket === 1 ? "validation" : "train";
}

/** Shares of what text tells and only some splits ask about; the rest belongs to training. */
const TEST_SHARE = 0.15;
const VALIDATION_SHARE = 0.05;
const AT_LEAST = 2;

/** One split for each item, the same for the same seed. */
function divide<T>(items: readonly T[], ...seed: readonly (string | number)[]): Map<T, Split> {
  const shuffled = new Choices("pocket split", ...seed).shuffle(items);
  const test = Math.max(AT_LEAST, Math.round(items.length * TEST_SHARE));
  const held = test + Math.max(AT_LEAST, Math.round(items.length * VALIDATION_SHARE));
  return new Map(shuffled.map((item, i) => [item, i < test ? "test" : i < held ? "validation" : "train"]));
}

const factSplits = new WeakMap<World, ReadonlyMap<string, Split>>();
const keyOf = ({ relation, subject }: Pick<Fact, "relation" | "subject">) => `${relation} ${subject}`;

/**
 * Whether a fact is asked about and judged in training, or kept for validation or test: text tells all of them alike. A false
 * claim goes with the fact that it is about.
 */
export function splitOfFact(world: World, fact: Pick<Fact, "relation" | "subject">): Split {
  let splits = factSplits.get(world);
  if (splits === undefined) {
    const entries = RELATION_NAMES.flatMap((relation) => {
      const keys = world.facts.filter((each) => each.relation === relation).map(keyOf);
      return [...divide(keys, "facts", world.seed, relation)];
    });
    factSplits.set(world, (splits = new Map(entries)));
  }
  const split = splits.get(keyOf(fact));
  if (split === undefined) throw new RangeError(`[world] ${fact.relation} does not apply to "${fact.subject}".`);
  return split;
}

const sentences = divide(
  commonSense.map(({ sentence }) => sentence),
  "common sense",
);

/** The same for a sentence of common sense. */
export function splitOfCommonSense(sentence: string): Split | undefined {
  return sentences.get(sentence);
}

const asked = new WeakMap<World, Map<Split, readonly Fact[]>>();

/** The facts that a split may ask about: its own. In edition 1 all of them, in every split. */
export function askedFacts(world: World, split: Split): readonly Fact[] {
  if (world.edition === 1) return world.facts;
  let bySplit = asked.get(world);
  if (bySplit === undefined) asked.set(world, (bySplit = new Map<Split, readonly Fact[]>()));
  let facts = bySplit.get(split);
  if (facts === undefined) {
    facts = world.facts.filter((fact) => splitOfFact(world, fact) === split);
    bySplit.set(split, facts);
  }
  return facts;
}
