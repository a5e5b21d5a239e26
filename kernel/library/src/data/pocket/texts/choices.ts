import { affirm, ask, type Context } from "../document.js";
import type { Exercise } from "../exercise.js";

const LETTERS = ["A", "B", "C", "D"] as const;

/** A question with four values to choose from, answered by the value or by its letter. */
export function writeChoice(context: Context): Exercise {
  return chooseAmongFour(context, context.random.chance(0.5));
}

/** @param place where the right value stands, counted round; default: anywhere */
export function chooseAmongFour(context: Context, byLetter: boolean, place?: number): Exercise {
  const { random, world } = context;
  const truth = random.pick(context.asked);
  const others = world.values(truth.relation).filter((value) => value !== truth.value);
  const values = random.shuffle([truth.value, ...random.sample(others, LETTERS.length - 1)]);
  if (place !== undefined) {
    const [from, to] = [values.indexOf(truth.value), place % values.length];
    [values[from], values[to]] = [values[to]!, values[from]!];
  }
  const lines = values.map((value, index) => `${LETTERS[index]}. ${value}`);
  const options = byLetter ? LETTERS.map((letter) => ` ${letter}`) : values.map((value) => ` ${value}`);
  return {
    prompt: `Question: ${ask(context, truth)}\n${lines.join("\n")}\n${byLetter ? "Letter" : "Answer"}:`,
    worked: "",
    answer: options[values.indexOf(truth.value)]!,
    options,
    end: ".",
    claims: [affirm(truth)],
    rejected: [],
  };
}
