import { data, perplexity, Random, type LanguageModel } from "nibble-lab";
import { fill, relations, type Fact, type Split } from "nibble-lab/data";

/** A share of right answers, with what guessing gives. */
export interface Share {
  readonly name: string;
  readonly right: number;
  readonly of: number;
  readonly chance: number;
}

const SEED = 11;

/** Facts to ask about, spread over all relations; the same ones for every model. */
function factsToTest(count: number): readonly Fact[] {
  return new Random(SEED).shuffle(data.pocket.world.facts).slice(0, count);
}

/** Greedy answers to open questions in one phrasing: right when the first line has the value. */
export async function questions(model: LanguageModel, count: number, split: Split): Promise<Share> {
  let right = 0;
  for (const fact of factsToTest(count)) {
    const question = fill(relations[fact.relation].questions[split][0], fact.subject, fact.value);
    const answer = await model.generate(`Question: ${question}\nAnswer:`, { maxTokens: 20, stop: "\n" });
    if (answer.text.toLowerCase().includes(fact.value.toLowerCase())) right++;
  }
  return { name: `questions, ${phrasing(split)}`, right, of: count, chance: 0 };
}

/** A true statement against the same one with another value: right when the true one is likelier. */
export async function truth(model: LanguageModel, count: number, split: Split, negated: boolean): Promise<Share> {
  const random = new Random(SEED);
  let right = 0;
  for (const fact of factsToTest(count)) {
    const values = data.pocket.world.values(fact.relation).filter((value) => value !== fact.value);
    const other = values[random.integer(values.length)]!;
    const { negations, statements } = relations[fact.relation];
    const words = (negated ? negations : statements)[split][0];
    const nll = async (value: string) => (await perplexity(model, fill(words, fact.subject, value))).nll;
    const difference = (await nll(other)) - (await nll(fact.value));
    if (negated ? difference < 0 : difference > 0) right++;
  }
  return {
    name: `truth by likelihood, ${negated ? "negated, " : ""}${phrasing(split)}`,
    right,
    of: count,
    chance: 0.5,
  };
}

/** Two-step word problems of the test split, worked out greedily: right when the last number is. */
export async function arithmetic(model: LanguageModel, count: number): Promise<Share> {
  const problems = data.pocket
    .text("test", { documents: count * 20 })
    .documents.filter(({ kind }) => kind === "arithmetic");
  let right = 0;
  for (const { text } of problems.slice(0, count)) {
    const [prompt, worked] = text.split(/(?<=now\?)/) as [string, string];
    const answer = await model.generate(prompt, { maxTokens: 40 });
    if (lastNumber(answer.text) === lastNumber(worked)) right++;
  }
  return { name: "two-step arithmetic, unseen sums", right, of: Math.min(count, problems.length), chance: 0 };
}

function lastNumber(text: string): string | undefined {
  return /\d+(?=\D*$)/.exec(text)?.[0];
}

function phrasing(split: Split): string {
  return split === "train" ? "trained phrasing" : "unseen phrasing";
}
