import type { Context, Draft, Part } from "./document.js";
import type { Claim } from "./world.js";

/** A name in a text. */
export interface Mention {
  readonly name: string;
  readonly kind: string;
}

/**
 * Something to be answered: in training a piece of a document, in tests an item of a task. A text's answer begins with its space,
 * as tokens do.
 */
export interface Exercise {
  readonly prompt: string;
  /** What is written before the answer where one works it out; "" where one answers at once. */
  readonly worked: string;
  readonly answer: string;
  /** Every answer among which one chooses, or null where the answer is free. */
  readonly options: readonly string[] | null;
  /** What ends the answer in a document. */
  readonly end: string;
  /** Said or implied as true, and true. */
  readonly claims: readonly Claim[];
  /** Said, and false. */
  readonly rejected: readonly Claim[];
  /** The names in the prompt's text, in their order, where they are what is asked for. */
  readonly mentions?: readonly Mention[];
}

/** What counts in training: nothing of the prompt, the work as usual, the answer most. */
const WORKED_WEIGHT = 1;
const ANSWER_WEIGHT = 3;
const FREE_ANSWER_WEIGHT = 1;

/** Exercises one after the other. */
export function exerciseDraft(exercises: readonly Exercise[], { between = "\n", before = "" } = {}): Draft {
  const parts = exercises.flatMap((exercise, index): Part[] => [
    { text: `${index === 0 ? before : between}${exercise.prompt}`, weight: 0 },
    { text: exercise.worked, weight: WORKED_WEIGHT },
    { text: exercise.answer, weight: exercise.options === null ? FREE_ANSWER_WEIGHT : ANSWER_WEIGHT },
    { text: exercise.end, weight: WORKED_WEIGHT },
  ]);
  return {
    text: parts.map(({ text }) => text).join(""),
    claims: exercises.flatMap(({ claims }) => claims),
    rejected: exercises.flatMap(({ rejected }) => rejected),
    parts: parts.filter(({ text }) => text !== ""),
  };
}

/** Writes one to `most` exercises of a kind as a document. */
export function exerciseWriter(write: (context: Context) => Exercise, most: number) {
  return (context: Context): Draft =>
    exerciseDraft(Array.from({ length: context.random.between(1, most) }, () => write(context)));
}
