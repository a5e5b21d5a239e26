import type { ScheduleName } from "nibble-lab";
import type { DocumentShares, TaskName } from "nibble-lab/data";

/** One stretch of training: what is read, for how long, and when it may end early. */
export interface Stage {
  readonly name: string;
  /** Of documents, by kind; default: the edition's own mix. */
  readonly shares?: DocumentShares;
  /** At most so many steps. */
  readonly steps: number;
  readonly schedule: ScheduleName;
  /** Steps in which the learning rate rises. */
  readonly warmup: number;
  /** Ends early once a task of the validation split, in trained wording, is right this often. */
  readonly until?: { readonly task: TaskName; readonly right: number };
}

/** Text all of which counts in training: later stages repeat it, so that nothing is forgotten, and perplexity is measured on it. */
export const plainText = {
  facts: 12,
  description: 8,
  negations: 5,
  story: 8,
  arithmetic: 7,
  sayings: 2,
  commonSense: 2,
  laws: 1,
};
const text = (percent: number): DocumentShares => {
  const total = Object.values(plainText).reduce((sum, share) => sum + share, 0);
  return Object.fromEntries(Object.entries(plainText).map(([kind, share]) => [kind, (share / total) * percent]));
};

/**
 * The course of docs/pocket.md: match, reach, recall, judge, denials, then prompts and the rest. Each stage stands on the one
 * before, so the early ones end when what they teach is there. At 8 rows of 256 tokens all of it is 13.5 million tokens at most.
 */
export const stages: readonly Stage[] = [
  {
    name: "match",
    shares: { pairs: 100 },
    steps: 500,
    schedule: "constant",
    warmup: 50,
    until: { task: "pairs", right: 0.95 },
  },
  {
    name: "reach",
    shares: { ...text(65), pairs: 30, copy: 5 },
    steps: 1200,
    schedule: "constant",
    warmup: 0,
    until: { task: "likelihood", right: 0.95 },
  },
  {
    name: "recall",
    shares: { ...text(40), recalled: 38, questions: 10, pairs: 8, copy: 4 },
    steps: 1200,
    schedule: "constant",
    warmup: 0,
    until: { task: "questions", right: 0.95 },
  },
  {
    name: "judge",
    shares: { ...text(28), recalled: 28, judged: 24, questions: 9, pairs: 8, copy: 3 },
    steps: 1200,
    schedule: "constant",
    warmup: 0,
    until: { task: "verdict", right: 0.9 },
  },
  {
    name: "denials",
    shares: { ...text(28), recalled: 22, judgedOther: 34, questions: 9, pairs: 5, copy: 2 },
    steps: 400,
    schedule: "constant",
    warmup: 0,
    until: { task: "recalledNegated", right: 0.95 },
  },
  { name: "world", steps: 900, schedule: "constant", warmup: 0 },
  { name: "decay", steps: 1200, schedule: "linear", warmup: 0 },
];
