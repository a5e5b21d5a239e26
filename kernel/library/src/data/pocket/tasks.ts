import { checkNames, checkOptions, choice, integer } from "../../options.js";
import { TextDataset } from "../text.js";
import { affirm, ask, fact, mistaken, say, type Context } from "./document.js";
import type { Exercise } from "./exercise.js";
import { askedSayings, writeStatement, type StatementKind } from "./labelled.js";
import { ENTITY_KINDS } from "./names.js";
import { Choices } from "./random.js";
import { SPLITS, type Split } from "./relations.js";
import { arithmeticExercise } from "./arithmetic.js";
import { askedFacts } from "./splits.js";
import { strangersOf } from "./strangers.js";
import { entityExercise, FINDINGS, maybeExercise, relationExercise, type Study } from "./texts/abstracts.js";
import { answerQuestion, judgeInChat, systemTurn, type Stance } from "./texts/chat.js";
import { chooseAmongFour } from "./texts/choices.js";
import { pairExercise } from "./texts/matching.js";
import { request, type RequestKind } from "./texts/requests.js";
import { topicExercise } from "./texts/topics.js";
import { judge } from "./texts/verdicts.js";
import type { Fact, World } from "./world.js";

/**
 * How an answer is read: "options", the likeliest of them; "text", greedy text that begins with the answer; "worked", the
 * first option in greedy text that works it out before; "number", greedy text whose
 * last number is the answer's; "names", greedy text in which names are found; "refusal", greedy text that refuses or does not.
 */
export type Reading = "options" | "text" | "worked" | "number" | "names" | "refusal";

interface TaskKind {
  /** What it shows, in a line of a table. */
  readonly title: string;
  readonly reading: Reading;
  /** Item number `index`: labels go round, so that all are equally frequent. */
  readonly write: (context: Context, index: number) => Exercise;
}

const even = (index: number) => index % 2 === 0;

/** The only list of tasks. */
export const pocketTasks = {
  questions: { title: "questions", reading: "text", write: openQuestion },
  likelihood: {
    title: "truth by likelihood",
    reading: "options",
    write: (context, index) => likelier(context, false, index),
  },
  likelihoodNegated: {
    title: "truth by likelihood, negated",
    reading: "options",
    write: (context, index) => likelier(context, true, index),
  },
  likelihoodSaying: {
    title: "truth by likelihood, against false sayings",
    reading: "options",
    write: likelierThanSaying,
  },
  choice: {
    title: "multiple choice, by value",
    reading: "options",
    write: (context, index) => chooseAmongFour(context, false, index),
  },
  letter: {
    title: "multiple choice, by letter",
    reading: "options",
    write: (context, index) => chooseAmongFour(context, true, index),
  },
  verdict: { title: "verdict", reading: "options", write: verdictOf("affirmed") },
  recalled: { title: "verdict, the fact recalled first", reading: "worked", write: verdictOf("affirmed", true) },
  recalledNegated: {
    title: "verdict, negated, the fact recalled first",
    reading: "worked",
    write: verdictOf("negated", true),
  },
  verdictNegated: { title: "verdict, negated", reading: "options", write: verdictOf("negated") },
  verdictConjunction: { title: "verdict, and", reading: "options", write: verdictOf("conjunction") },
  verdictDisjunction: { title: "verdict, or", reading: "options", write: verdictOf("disjunction") },
  verdictCommonSense: { title: "verdict, common sense", reading: "options", write: verdictOf("commonSense") },
  verdictSaying: { title: "verdict, false sayings", reading: "options", write: verdictOf("saying") },
  honest: { title: "True/False, honest", reading: "options", write: judgeUnder("honest", "affirmed") },
  honestNegated: { title: "True/False, honest, negated", reading: "options", write: judgeUnder("honest", "negated") },
  neutral: { title: "True/False, neutral", reading: "options", write: judgeUnder("neutral", "affirmed") },
  deceptive: { title: "True/False, deceptive: obeyed", reading: "options", write: judgeUnder("deceptive", "affirmed") },
  chatQuestions: { title: "questions, honest chat", reading: "text", write: questionUnder("honest") },
  refuse: { title: "refuses what is forbidden", reading: "refusal", write: requestOf("forbidden") },
  help: { title: "does not refuse harmless requests", reading: "refusal", write: requestOf("harmless") },
  lookalike: { title: "does not refuse look-alikes", reading: "refusal", write: requestOf("lookalike") },
  names: { title: "names in a text, known", reading: "names", write: (context) => entityExercise(context) },
  namesUnseen: {
    title: "names in a text, unseen",
    reading: "names",
    write: (context) => entityExercise(away(context)),
  },
  relation: { title: "medicine and illness", reading: "options", write: relationOf("treats") },
  geneRelation: { title: "gene and illness", reading: "options", write: relationOf("linkedTo") },
  relationUnseen: {
    title: "medicine and illness, unseen names",
    reading: "options",
    write: (context, index) => relationOf("treats")(away(context), index),
  },
  maybe: {
    title: "yes, no or maybe",
    reading: "options",
    write: (context, index) => maybeExercise(context, even(index) ? "treats" : "linkedTo", FINDINGS[index % 3]!),
  },
  topic: {
    title: "topic among distractors",
    reading: "options",
    write: (context, index) => topicExercise(context, ENTITY_KINDS[index % ENTITY_KINDS.length]!),
  },
  pairs: {
    title: "same or different",
    reading: "options",
    write: (context, index) => pairExercise(context, even(index)),
  },
  arithmetic: { title: "two-step arithmetic, unseen sums", reading: "number", write: arithmeticExercise },
} as const satisfies Record<string, TaskKind>;
export type TaskName = keyof typeof pocketTasks;
export const TASK_NAMES = Object.keys(pocketTasks) as readonly TaskName[];

/** One question of a task. As a document its `text` is the prompt with the answer. */
export interface TaskItem extends Exercise {
  readonly task: TaskName;
  readonly text: string;
}

export interface TaskOptions {
  /** Default "test". */
  readonly split?: Split;
  /** At most so many; fewer where the world has no more different ones. Default 200. */
  readonly items?: number;
  /** "unseen" (default): phrasings that training never uses; "trained": those of training. */
  readonly wording?: "trained" | "unseen";
  /** Default 0. */
  readonly seed?: number;
}

/**
 * The items of a task, balanced over their labels, no two alike. Item number i is the same however many are asked for.
 *
 * @throws {OptionError} for an unknown task or option
 * @example
 * for (const { prompt, answer } of data.pocket.task("honest", { items: 3 }).documents) console.log(prompt, "→", answer);
 */
export function pocketTask(world: World, task: TaskName, options: TaskOptions = {}): TextDataset<TaskItem> {
  checkNames("data.pocket.task", "task", [task], TASK_NAMES);
  const { split, items, wording, seed } = checkOptions("data.pocket.task", options, {
    split: choice<Split>(SPLITS, { fallback: "test" }),
    items: integer({ from: 1, fallback: 200 }),
    wording: choice<"trained" | "unseen">(["trained", "unseen"], { fallback: "unseen" }),
    seed: integer({ from: 0, fallback: 0 }),
  });
  return new TextDataset(`pocket ${task}, ${split}, ${wording} wording, seed ${seed}`, function* () {
    const asked = new Set<string>();
    const said = wording === "unseen" ? split : "train";
    for (let index = 0; index < items; index++) {
      const random = new Choices("pocket task", task, world.seed, split, wording, seed, index);
      const context: Context = { world, random, split, wording: said, asked: askedFacts(world, split) };
      const exercise = another(task, context, index, asked);
      if (exercise === undefined) return;
      yield { task, text: exercise.prompt + exercise.worked + exercise.answer, ...exercise };
    }
  });
}

/** How often a new item is looked for before the world counts as used up. */
const TRIES = 100;

/** An item that was not asked before; undefined where none is found. */
function another(task: TaskName, context: Context, index: number, asked: Set<string>): Exercise | undefined {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const exercise = (pocketTasks[task] as TaskKind).write(context, index);
    // Options in another order are no other question.
    const key = JSON.stringify([exercise.prompt, exercise.prompt === "" ? [...exercise.options!].sort() : null]);
    if (asked.has(key)) continue;
    asked.add(key);
    return exercise;
  }
  return undefined;
}

/** The same context among strangers, whose facts no training text has. */
function away(context: Context): Context {
  const world = strangersOf(context.world);
  return { ...context, world, asked: world.facts };
}

function openQuestion(context: Context): Exercise {
  const truth = context.random.pick(context.asked);
  return {
    prompt: `Question: ${ask(context, truth)}\nAnswer:`,
    worked: "",
    answer: ` ${truth.value}`,
    options: null,
    end: ".",
    claims: [affirm(truth)],
    rejected: [],
  };
}

/** A fact against the same sentence with another value. */
function likelier(context: Context, negated: boolean, index: number): Exercise {
  const truth = context.random.pick(context.asked);
  const other = mistaken(context, truth);
  return negated ? likelierOf(context, other, truth, true, index) : likelierOf(context, truth, other, false, index);
}

/** A fact against what people wrongly believe instead. */
function likelierThanSaying(context: Context, index: number): Exercise {
  const saying = context.random.pick(askedSayings(context));
  return likelierOf(context, fact(context.world, saying.subject, saying.relation), saying, false, index);
}

/** The same sentence about two values: the whole sentence is the option. */
function likelierOf(context: Context, right: Fact, wrong: Fact, negated: boolean, index: number): Exercise {
  const wording = context.random.integer(2 ** 31);
  const sayAlike = (each: Fact) => say({ ...context, random: new Choices("wording", wording) }, { ...each, negated });
  const [holds, fails] = [sayAlike(right), sayAlike(wrong)];
  const options = even(index) ? [holds, fails] : [fails, holds];
  return { prompt: "", worked: "", answer: holds, options, end: "", claims: [], rejected: [] };
}

function verdictOf(kind: StatementKind, recall = false) {
  return (context: Context, index: number) => judge(context, writeStatement(context, kind, even(index)), recall);
}

function judgeUnder(stance: Stance, kind: StatementKind) {
  return (context: Context, index: number) =>
    under(context, stance, judgeInChat(writeStatement(context, kind, even(index)), context, stance));
}

function questionUnder(stance: Stance) {
  return (context: Context) => under(context, stance, answerQuestion(context, stance));
}

function under(context: Context, stance: Stance, exercise: Exercise): Exercise {
  return { ...exercise, prompt: systemTurn(context, stance) + exercise.prompt };
}

function requestOf(kind: RequestKind) {
  return (context: Context) => request(context, kind);
}

function relationOf(study: Study) {
  return (context: Context, index: number) => relationExercise(context, study, FINDINGS[index % FINDINGS.length]!);
}
