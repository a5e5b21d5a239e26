import { commonSense } from "../common-sense.js";
import { affirm, fact, phrase, say, type Context, type Draft } from "../document.js";
import type { Phrasings } from "../relations.js";

const BELIEFS: Phrasings = {
  train: ["An old saying goes:", "Many people believe:", "In the market they tell you:"],
  validation: ["Grandmothers like to say:"],
  test: ["There is a popular belief:"],
};
const CORRECTIONS: Phrasings = {
  train: ["But that is wrong.", "That is only a saying.", "It is not so."],
  validation: ["Do not believe it."],
  test: ["Nothing of it is right."],
};

/** Two or three false sayings of this world, each put right. */
export function writeSayings(context: Context): Draft {
  const { random, world } = context;
  const sayings = random.sample(world.sayings, random.between(2, 3)).map(affirm);
  const truths = sayings.map(({ subject, relation }) => affirm(fact(world, subject, relation)));
  const sentences = sayings.map(
    (saying, index) =>
      `${phrase(context, BELIEFS)} ${say(context, saying)} ${phrase(context, CORRECTIONS)} ${say(context, truths[index]!)}`,
  );
  return { text: sentences.join(" "), claims: truths, rejected: sayings };
}

/** Three to six sentences of common sense. */
export function writeCommonSense({ random }: Context): Draft {
  const sentences = random
    .sample(commonSense, random.between(3, 6))
    .map(({ sentence, right }) => sentence.replace("{v}", right));
  return { text: sentences.join(" "), claims: [], rejected: [] };
}
