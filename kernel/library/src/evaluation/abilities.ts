import {
  pocketTasks,
  REFUSAL,
  TASK_NAMES,
  type Pocket,
  type Reading,
  type TaskItem,
  type TaskName,
} from "../data/pocket/index.js";
import { data } from "../data/index.js";
import { display, inspect, tableBundle, type MimeBundle } from "../display.js";
import { throwIfAborted } from "../errors.js";
import { events } from "../events.js";
import type { LanguageModel } from "../models/model.js";
import { checkNames, checkOptions, choice, custom, integer, signal } from "../options.js";
import { bootstrap, wilson, type Interval } from "./intervals.js";
import { logLikelihoods } from "./likelihood.js";

export interface AbilitiesOptions {
  /** The world that is asked about. Default `data.pocket`, which the shipped model learned. */
  readonly pocket?: Pocket;
  /** Default: all. */
  readonly tasks?: readonly TaskName[];
  /** Of each task. Default 200. */
  readonly items?: number;
  readonly split?: "train" | "validation" | "test";
  /** Default "unseen": phrasings that training never uses. */
  readonly wording?: "trained" | "unseen";
  /** Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** One ability of one model. */
export interface Ability extends Interval {
  readonly task: TaskName;
  readonly title: string;
  readonly items: number;
  /** Share of right answers; the F1 of names. 95 % interval: Wilson's, for F1 by resampling items. */
  readonly value: number;
  /** What guessing gives. */
  readonly chance: number;
  /** What the best single answer to all items gives. */
  readonly majority: number;
  /** How often the model gave its most frequent answer: near 1, it answers without reading. */
  readonly leaning: number;
}

/** What `abilities` measured; shows itself as a table. */
export class Abilities {
  constructor(
    readonly model: string,
    readonly protocol: string,
    readonly rows: readonly Ability[],
  ) {}

  /** @throws {RangeError} for a task that was not measured */
  of(task: TaskName): Ability {
    const row = this.rows.find((each) => each.task === task);
    if (row === undefined) throw new RangeError(`[abilities] "${task}" was not measured.`);
    return row;
  }

  /** The table as Markdown. */
  toMarkdown(): string {
    const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
    return [line(COLUMNS), line(COLUMNS.map(() => "---")), ...this.rows.map((row) => line(cellsOf(row)))].join("\n");
  }
  toString(): string {
    return `${this.model}, ${this.protocol}\n${this.toMarkdown()}`;
  }
  [display](): MimeBundle {
    return tableBundle({ columns: COLUMNS, rows: this.rows.map(cellsOf), note: `${this.model}, ${this.protocol}` });
  }
  [inspect](): string {
    return this.toString();
  }
}

const COLUMNS = ["ability", "n", "right", "95 % interval", "chance", "majority", "leaning"];
function cellsOf(row: Ability): string[] {
  const share = (value: number) => value.toFixed(2);
  const interval = `${share(row.low)}–${share(row.high)}`;
  return [
    row.title,
    String(row.items),
    row.value.toFixed(3),
    interval,
    ...[row.chance, row.majority, row.leaning].map(share),
  ];
}

/**
 * Asks a model the tasks of a pocket world: how often it is right, with an interval, beside what guessing and the most frequent answer give.
 * Works for any model with a tokenizer, quantized or not.
 *
 * @throws {OptionError} · {InterruptedError} by `signal`
 * @example
 * await abilities(await quantize(model, { method: "rtn", bits: 2 }), { tasks: ["likelihood", "arithmetic"], items: 100 })
 */
export async function abilities(model: LanguageModel, options: AbilitiesOptions = {}): Promise<Abilities> {
  const {
    pocket,
    tasks,
    signal: stop,
    ...rest
  } = checkOptions("abilities", options, {
    pocket: custom<Pocket>(
      "data.pocket or data.pocket2",
      (value) => typeof value === "object" && value !== null,
      data.pocket,
    ),
    tasks: custom<readonly TaskName[]>("an array of task names", Array.isArray, TASK_NAMES),
    items: integer({ from: 1, fallback: 200 }),
    split: choice<"train" | "validation" | "test">(["train", "validation", "test"], { fallback: "test" }),
    wording: choice<"trained" | "unseen">(["trained", "unseen"], { fallback: "unseen" }),
    seed: integer({ from: 0, fallback: 0 }),
    signal: signal(),
  });
  checkNames("abilities", "task", tasks, TASK_NAMES);
  const rows: Ability[] = [];
  for (const task of tasks) {
    throwIfAborted("abilities", stop);
    const { title, reading } = pocketTasks[task];
    const answers = await readings[reading](model, pocket.task(task, rest).documents);
    rows.push({ task, title, items: answers.length, ...summary(reading, answers) });
    events.emit("progress", {
      id: "abilities",
      label: `abilities of ${model.name}`,
      done: rows.length,
      total: tasks.length,
      unit: "tasks",
    });
  }
  const protocol = `${rest.split}, ${rest.wording} wording, edition ${pocket.edition}, seed ${rest.seed}`;
  return new Abilities(`${model.name}, ${model.label}`, protocol, rows);
}

/** One item's answer: what was said, what is right, and how much of it was. */
interface Answer {
  readonly said: string;
  readonly wanted: string;
  readonly right: boolean;
  readonly chance: number;
  /** Of names: found and right, found, there. */
  readonly counts?: readonly [number, number, number];
}
type Reader = (model: LanguageModel, items: readonly TaskItem[]) => Promise<Answer[]>;

const ARITHMETIC_TOKENS = 60;
const NAMES_TOKENS = 80;
const ANSWER_ROOM = 12;
const WORKED_TOKENS = 24;

/** How answers are read, by the name of the reading. */
const readings: Readonly<Record<Reading, Reader>> = {
  async options(model, items) {
    const asked = items.flatMap(({ prompt, options }) => options!.map((text) => ({ prompt, text })));
    const scores = await logLikelihoods(model, asked);
    let next = 0;
    return items.map(({ options, answer }) => {
      const own = scores.slice(next, (next += options!.length));
      const best = own.indexOf(Math.max(...own));
      const wanted = options!.indexOf(answer);
      return { said: String(best), wanted: String(wanted), right: best === wanted, chance: 1 / options!.length };
    });
  },
  text: greedy(ANSWER_ROOM, (text, { answer }) => {
    const [line] = text.split("\n") as [string];
    return { said: line, wanted: answer, right: line.toLowerCase().includes(answer.trim().toLowerCase()) };
  }),
  number: greedy(ARITHMETIC_TOKENS, (text, { answer }) => {
    const [said, wanted] = [lastNumber(text.split("\n")[0]!), lastNumber(answer)];
    return { said, wanted, right: said === wanted };
  }),
  worked: greedy(WORKED_TOKENS, (text, { answer, options }) => {
    const places = options!.map((option) => text.indexOf(option));
    const said = options![places.indexOf(Math.min(...places.filter((place) => place >= 0)))] ?? "";
    return { said, wanted: answer, right: said === answer, chance: 1 / options!.length };
  }),
  refusal: greedy(ANSWER_ROOM, (text, { answer }) => {
    const [said, wanted] = [text, answer].map((each) => each.trim().startsWith(REFUSAL)) as [boolean, boolean];
    return { said: String(said), wanted: String(wanted), right: said === wanted };
  }),
  names: greedy(NAMES_TOKENS, (text, { mentions }) => {
    const [line] = text.split("\n") as [string];
    const said = new Set([...line.matchAll(/(\w+) \((\w+)\)/g)].map(([, name, kind]) => `${name} ${kind}`));
    const there = mentions!.map(({ name, kind }) => `${name} ${kind}`);
    const found = there.filter((each) => said.has(each)).length;
    return {
      said: line,
      wanted: there.join(),
      right: found === there.length && said.size === found,
      counts: [found, said.size, there.length],
    };
  }),
};

function greedy(
  maxTokens: number,
  read: (text: string, item: TaskItem) => Omit<Answer, "chance"> & Partial<Answer>,
): Reader {
  return async (model, items) => {
    const answers: Answer[] = [];
    for (const item of items) {
      const limit = model.config.maxPositions - maxTokens;
      const prompt = model.tokenizer.encode(item.prompt).slice(-limit);
      const { text } = await model.generate(prompt, { maxTokens });
      answers.push({ chance: 0, ...read(text, item) });
    }
    return answers;
  };
}

function summary(reading: Reading, answers: readonly Answer[]) {
  const mean = (value: (answer: Answer) => number) =>
    answers.reduce((sum, each) => sum + value(each), 0) / answers.length;
  const lines = {
    chance: reading === "refusal" ? 0.5 : mean(({ chance }) => chance),
    majority: reading === "names" ? 0 : mostFrequent(answers.map(({ wanted }) => wanted)),
    leaning: mostFrequent(answers.map(({ said }) => said)),
  };
  if (reading === "names") return { value: f1(answers), ...bootstrap(answers, f1), ...lines };
  const right = answers.filter((answer) => answer.right).length;
  return { value: right / answers.length, ...wilson(right, answers.length), ...lines };
}

/** 2·found / (said + there), over all items together; a name counts with its kind. */
function f1(answers: readonly Answer[]): number {
  const sum = (index: number) => answers.reduce((total, { counts }) => total + counts![index]!, 0);
  return (2 * sum(0)) / Math.max(1, sum(1) + sum(2));
}

function mostFrequent(values: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Math.max(...counts.values()) / values.length;
}

function lastNumber(text: string): string {
  return /\d+(?=\D*$)/.exec(text)?.[0] ?? "";
}
