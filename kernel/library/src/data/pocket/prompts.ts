import { affirm, mistaken, type Context } from "./document.js";
import { Choices } from "./random.js";
import { fill, RELATION_NAMES, relations, type RelationName } from "./relations.js";
import type { World } from "./world.js";

/** A statement to look at activations with. */
export interface PocketPrompt {
  readonly text: string;
  /** What it is about: the kind of its subject. */
  readonly label: string;
  readonly relation: RelationName;
  readonly truth: boolean;
}

const PER_RELATION = 4;

/** Four statements of each relation in its first phrasing, two true and two false; the same list for the same world. */
export function pocketPrompts(world: World): readonly PocketPrompt[] {
  const random = new Choices("pocket prompts", world.seed);
  const context: Context = { world, random, split: "train", wording: "train", asked: world.facts };
  return RELATION_NAMES.flatMap((relation) => {
    const chosen = random.sample(
      world.facts.filter((each) => each.relation === relation),
      PER_RELATION,
    );
    return chosen.map((each, index) => {
      const claim = affirm(index % 2 === 0 ? each : mistaken(context, each));
      const text = fill(relations[relation].statements.train[0], claim.subject, claim.value);
      return { text, label: relations[relation].subject, relation, truth: world.isTrue(claim) };
    });
  });
}
