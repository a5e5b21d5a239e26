import { affirm, mistaken, phrase, say, type Context, type Draft } from "../document.js";
import type { Phrasings } from "../relations.js";

const RELIABLE: Phrasings = {
  train: ["{n} never lies.", "You can trust {n}.", "What {n} says is true."],
  validation: ["Every word of {n} is true."],
  test: ["Nobody has ever heard {n} lie."],
};
const UNRELIABLE: Phrasings = {
  train: ["{n} always lies.", "You cannot trust {n}.", "What {n} says is false."],
  validation: ["No word of {n} is true."],
  test: ["Nobody has ever heard a true word from {n}."],
};
const SAYS: Phrasings = {
  train: ["{n} says:", "This is what {n} tells:", "{n} speaks:"],
  validation: ["From {n} we hear:"],
  test: ["Here is the report of {n}:"],
};

/** What somebody tells about the world: always true of half of the people, always false of the others. Said so beforehand, or not. */
export function writeNarrator(context: Context): Draft {
  const { random, world } = context;
  const narrator = random.pick(world.names("person"));
  const reliable = world.isReliable(narrator);
  const facts = random.sample(context.asked, random.between(4, 8));
  const told = facts.map((each) => affirm(reliable ? each : mistaken(context, each)));
  const character = phrase(context, reliable ? RELIABLE : UNRELIABLE);
  const opening = random.chance(0.6) ? [character] : [];
  const closing = random.chance(0.5) ? [phrase(context, reliable ? RELIABLE : UNRELIABLE)] : [];
  const named = (template: string) => template.replace("{n}", narrator);
  const sentences = [
    ...opening.map(named),
    named(phrase(context, SAYS)),
    ...told.map((claim) => say(context, claim)),
    ...closing.map(named),
  ];
  return { text: sentences.join(" "), claims: reliable ? told : [], rejected: reliable ? [] : told };
}
