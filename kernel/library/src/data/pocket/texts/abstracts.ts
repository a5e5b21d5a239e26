import { affirm, mistaken, phrase, say, type Context } from "../document.js";
import type { Exercise, Mention } from "../exercise.js";
import type { EntityKind } from "../names.js";
import type { Phrasings, RelationName } from "../relations.js";
import type { Claim, Fact } from "../world.js";

/** What an abstract may say of a pair of names. */
export const FINDINGS = ["yes", "no", "maybe"] as const;
export type Finding = (typeof FINDINGS)[number];

/** The pairs that abstracts are about, and how their relation is asked for and answered. */
export const studies = {
  treats: {
    relation: "treats",
    question: "What does the text say about {s} and {v}?",
    answers: { yes: " treats", no: " does not treat", maybe: " not stated" },
  },
  linkedTo: {
    relation: "linkedTo",
    question: "What does the text say about {s} and {v}?",
    answers: { yes: " linked", no: " not linked", maybe: " not stated" },
  },
} as const satisfies Record<string, { relation: RelationName; question: string; answers: Record<Finding, string> }>;
export type Study = keyof typeof studies;

const BACKGROUND: Phrasings = {
  train: [
    "We met {n} people with {v} in {place}.",
    "{person} visited {n} families in {place}.",
    "{v} was seen in {place}.",
  ],
  validation: ["From {place}, {n} letters about {v} reached us."],
  test: ["In {place}, {person} kept a diary of {n} cases of {v}."],
};
const OPEN: Phrasings = {
  train: [
    "Some of those who had {v} were asked about {s}.",
    "Nobody has yet compared {s} with {v}.",
    "Whether {s} matters in {v} is left to later work.",
  ],
  validation: ["About {s} and {v} the records are silent."],
  test: ["The notes on {s} and {v} were lost."],
};
const CLOSING: Phrasings = {
  train: ["We thank {person}.", "{person} paid for the work.", "More work in {place} is planned."],
  validation: ["The drawings are by {person}."],
  test: ["All of it was written down by {person}."],
};

/** A short text about one pair, what it says of it, and the names in it. */
export interface Abstract {
  readonly text: string;
  readonly study: Study;
  /** The pair, as a fact that holds or does not. */
  readonly pair: Fact;
  readonly finding: Finding;
  readonly mentions: readonly Mention[];
  readonly claims: readonly Claim[];
}

/** Findings are true to the world: what is stated holds, and what is denied does not. */
export function writeAbstract(context: Context, study: Study, finding: Finding): Abstract {
  const { random, world } = context;
  const facts = context.asked.filter(({ relation }) => relation === study);
  const truth = random.pick(facts);
  const pair = finding === "yes" || (finding === "maybe" && random.chance(0.5)) ? truth : mistaken(context, truth);
  const claim = { ...affirm(pair), negated: finding === "no" };
  const slots: Readonly<Record<string, string>> = {
    s: pair.subject,
    v: pair.value,
    n: String(random.between(12, 90)),
    place: random.pick(world.names("place")),
    person: random.pick(world.names("person")),
  };
  const filled = (phrasings: Phrasings) =>
    phrase(context, phrasings).replace(/\{(\w+)\}/g, (_, slot: string) => slots[slot]!);
  const result = finding === "maybe" ? filled(OPEN) : say(context, claim);
  const text = [filled(BACKGROUND), result, filled(CLOSING)].join(" ");
  return {
    text,
    study,
    pair,
    finding,
    mentions: mentionsIn(context, text),
    claims: finding === "maybe" ? [] : [claim],
  };
}

/** All names of an abstract with their kinds. */
export function entityExercise(context: Context): Exercise {
  const { random } = context;
  const abstract = writeAbstract(context, random.pick(["treats", "linkedTo"]), random.pick(FINDINGS));
  const named = abstract.mentions.map(({ name, kind }) => `${name} (${kind})`);
  return {
    ...inText(abstract, "Names:"),
    answer: ` ${named.join(", ")}.`,
    options: null,
    end: "",
    mentions: abstract.mentions,
  };
}

/** What an abstract says of its pair, in the words of the study. */
export function relationExercise(context: Context, study: Study, finding: Finding): Exercise {
  const abstract = writeAbstract(context, study, finding);
  const { question, answers } = studies[study];
  const asked = question.replace("{s}", abstract.pair.subject).replace("{v}", abstract.pair.value);
  return {
    ...inText(abstract, `Question: ${asked}\nAnswer:`),
    answer: answers[finding],
    options: FINDINGS.map((each) => answers[each]),
    end: ".",
  };
}

/** Yes, no or maybe. */
export function maybeExercise(context: Context, study: Study, finding: Finding): Exercise {
  const abstract = writeAbstract(context, study, finding);
  const { subject, value } = abstract.pair;
  const asked = study === "treats" ? `Does ${subject} treat ${value}?` : `Is ${subject} linked to ${value}?`;
  return {
    ...inText(abstract, `Question: ${asked}\nYes, no or maybe:`),
    answer: ` ${finding}`,
    options: FINDINGS.map((each) => ` ${each}`),
    end: ".",
  };
}

function inText(abstract: Abstract, question: string) {
  return { prompt: `Text: ${abstract.text}\n${question}`, worked: "", claims: abstract.claims, rejected: [] };
}

function mentionsIn({ world }: Context, text: string): Mention[] {
  const words = [...new Set(text.match(/\w+/g))];
  return words.flatMap((name): Mention[] => {
    const kind: EntityKind | undefined = world.kindOf(name);
    return kind === undefined ? [] : [{ name, kind }];
  });
}
