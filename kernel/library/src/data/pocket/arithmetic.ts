import type { Context, Draft } from "./document.js";
import type { Exercise } from "./exercise.js";
import type { Split } from "./relations.js";

/** One step of a problem: how it is told, and what it does to the count. */
interface Step {
  readonly sign: "+" | "-";
  readonly tell: readonly string[];
}

const THINGS = "plums|apples|candles|buttons|shells|stones|ropes|jars|coins|eggs".split("|");
const STEPS: readonly Step[] = [
  { sign: "+", tell: ["{He} buys {n} more.", "{He} finds {n} more.", "{q} gives {him} {n} more."] },
  { sign: "-", tell: ["{He} gives {n} to {q}.", "{He} loses {n} on the way.", "{He} sells {n} at the market."] },
];
const OPENINGS: Readonly<Record<Split, readonly string[]>> = {
  train: ["{p} has {n} {things}.", "{p} starts with {n} {things}.", "There are {n} {things} in the basket of {p}."],
  validation: ["In the morning {p} counts {n} {things}."],
  test: ["{p} carries {n} {things} home."],
};
const LARGEST_START = 12;
const LARGEST_CHANGE = 9;
/** Of (start, change, change) triples, the share kept for the test split: its sums are never seen in training. */
const TEST_TRIPLES = 8;

/** A word problem in two steps, worked out loud: "7 + 5 = 12. 12 - 3 = 9. Now Baro has 9 plums." */
export function writeArithmetic(context: Context): Draft {
  const { told, worked, end } = tellProblem(context);
  return { text: [told, worked, end].join(" "), claims: [], rejected: [] };
}

/** The same as an exercise: the question, and what is to be worked out. */
export function arithmeticExercise(context: Context): Exercise {
  const { told, worked, end } = tellProblem(context);
  return { prompt: told, worked: ` ${worked}`, answer: ` ${end}`, options: null, end: "", claims: [], rejected: [] };
}

function tellProblem(context: Context) {
  const { random, world } = context;
  const [person, other] = random.sample(world.names("person"), 2) as [string, string];
  const { start, steps } = drawProblem(context);
  const feminine = world.pronoun(person) === "she";
  const slots: Record<string, string> = {
    p: person,
    q: other,
    He: feminine ? "She" : "He",
    him: feminine ? "her" : "him",
    things: random.pick(THINGS),
  };
  const told = [render(random.pick(OPENINGS[context.wording]), { ...slots, n: String(start) })];
  const worked: string[] = [];
  let count = start;
  for (const { step, by } of steps) {
    told.push(render(random.pick(step.tell), { ...slots, n: String(by) }));
    const next = step.sign === "+" ? count + by : count - by;
    worked.push(`${count} ${step.sign} ${by} = ${next}.`);
    count = next;
  }
  const asked = render("How many {things} does {p} have now?", slots);
  return {
    told: [...told, asked].join(" "),
    worked: worked.join(" "),
    end: render(`Now {p} has ${count} {things}.`, slots),
  };
}

interface Problem {
  readonly start: number;
  readonly steps: readonly { readonly step: Step; readonly by: number }[];
}

function drawProblem(context: Context): Problem {
  const { random, split } = context;
  for (;;) {
    const start = random.between(2, LARGEST_START);
    const steps = [0, 1].map(() => ({ step: random.pick(STEPS), by: random.between(1, LARGEST_CHANGE) }));
    const signed = steps.map(({ step, by }) => (step.sign === "+" ? by : -by)) as [number, number];
    if (start + signed[0] < 1 || start + signed[0] + signed[1] < 2) continue;
    if (isTestProblem(start, ...signed) === (split === "test")) return { start, steps };
  }
}

/** Whether a problem's operands belong to the test split. */
export function isTestProblem(start: number, first: number, second: number): boolean {
  return (((start * 7 + first * 3 + second * 5) % TEST_TRIPLES) + TEST_TRIPLES) % TEST_TRIPLES === 0;
}

function render(template: string, slots: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = slots[name];
    if (value === undefined) throw new RangeError(`[arithmetic] no slot "${name}".`);
    return value;
  });
}
