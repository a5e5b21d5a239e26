import { phrase, type Context, type Draft } from "../document.js";
import { exerciseDraft, type Exercise } from "../exercise.js";
import type { Phrasings } from "../relations.js";
import { freshNames } from "../strangers.js";
import { VERDICTS } from "./verdicts.js";

/** What stands between two items, and between the second and the verdict: from next to each other to as far as a claim has it. */
const BETWEEN: Phrasings = {
  train: [" and ", ", ", ".\nAnswer: "],
  validation: [" beside "],
  test: [" as well as "],
};
const BEFORE: Phrasings = { train: ["", ":", ".\nVerdict:"], validation: [" ="], test: ["?"] };
const AGAIN: Phrasings = {
  train: ["{list}. Once more: {list}.", "List: {list}\nCopy: {list}", "{list}\n{list}"],
  validation: ["First {list}; then {list}."],
  test: ["One says {list}, the other repeats {list}."],
};
const NEAR = 1 / 3;

/** Pairs of names that mean nothing here: are they the same? */
export function writePairs(context: Context): Draft {
  const count = context.random.between(2, 5);
  return exerciseDraft(Array.from({ length: count }, () => pairExercise(context, context.random.chance(0.5))));
}

/** @param same whether the two are equal; a third of the different ones differ in their last word only */
export function pairExercise(context: Context, same: boolean): Exercise {
  const { random } = context;
  const words = random.between(1, 2);
  const [first, second] = [freshNames(context, words), freshNames(context, words)];
  const other = same ? first : random.chance(NEAR) ? [...first.slice(0, -1), second.at(-1)!] : second;
  return {
    prompt: `${first.join(" ")}${phrase(context, BETWEEN)}${other.join(" ")}${phrase(context, BEFORE)}`,
    worked: "",
    answer: VERDICTS[same ? 0 : 1],
    options: VERDICTS,
    end: "",
    claims: [],
    rejected: [],
  };
}

/** Weights of copying: a name at its first mention cannot be known, what stands around it is easy. */
const FIRST_MENTION = 0.05;
const AROUND = 0.5;

/** A list of three to eight names that is written twice. */
export function writeCopy(context: Context): Draft {
  const list = freshNames(context, context.random.between(3, 8)).join(", ");
  const [start, middle, end] = phrase(context, AGAIN).split("{list}") as [string, string, string];
  const parts = [
    { text: start.trimEnd(), weight: AROUND },
    { text: spaced(start) + list, weight: FIRST_MENTION },
    { text: middle.replace(/ $/, ""), weight: AROUND },
    { text: spaced(middle) + list, weight: 1 },
    { text: end, weight: AROUND },
  ].filter(({ text }) => text !== "");
  return { text: parts.map(({ text }) => text).join(""), claims: [], rejected: [], parts };
}

/** The space before a word belongs to its token. */
function spaced(before: string): string {
  return before.endsWith(" ") ? " " : "";
}
