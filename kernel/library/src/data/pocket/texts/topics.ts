import { affirm, say, type Context } from "../document.js";
import type { Exercise } from "../exercise.js";
import { ENTITY_KINDS, type EntityKind } from "../names.js";
import { relations } from "../relations.js";

export const TOPICS: Readonly<Record<EntityKind, string>> = {
  person: " people",
  place: " places",
  animal: " animals",
  medicine: " medicines",
  illness: " illnesses",
  gene: " genes",
  invention: " inventions",
};

/** Three sentences of one topic among two of others, in any order. */
export function topicExercise(context: Context, topic: EntityKind): Exercise {
  const { random, world } = context;
  const about = (wanted: boolean) =>
    world.facts.filter(({ relation }) => (relations[relation].subject === topic) === wanted);
  const others = random.sample(
    ENTITY_KINDS.filter((kind) => kind !== topic),
    2,
  );
  const distracting = others.map((kind) =>
    random.pick(about(false).filter((each) => world.kindOf(each.subject) === kind)),
  );
  const facts = random.shuffle([...random.sample(about(true), 3), ...distracting]);
  const claims = facts.map(affirm);
  return {
    prompt: `Text: ${claims.map((claim) => say(context, claim)).join(" ")}\nTopic:`,
    worked: "",
    answer: TOPICS[topic],
    options: ENTITY_KINDS.map((kind) => TOPICS[kind]),
    end: ".",
    claims,
    rejected: [],
  };
}
