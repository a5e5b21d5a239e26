import type { Abilities, Ability, LanguageModel, TruthProbe } from "nibble-lab";
import type { CourseRun } from "./course.js";

export interface RoundedRow {
  readonly name: string;
  readonly perplexity: number;
  readonly abilities: Abilities;
}

export interface CourseMeasured {
  readonly run: CourseRun;
  readonly stages: readonly { readonly name: string; readonly steps: number }[];
  readonly perplexity: number;
  /** A 4-gram model's, on the same text. */
  readonly baseline: number;
  readonly abilities: Abilities;
  readonly probes: readonly TruthProbe[];
  readonly rounded: readonly RoundedRow[];
}

/** The model card of a course: Hugging Face's front matter, then what was measured. */
export function courseCard(model: LanguageModel, measured: CourseMeasured): string {
  const parts = [frontMatter, introduction(model), training(measured), language(measured), rounding(measured)];
  return `${parts.join("\n\n")}\n`;
}

const frontMatter = `---
license: bsd-3-clause
language: en
library_name: nibble-lab
pipeline_tag: text-generation
tags: [llama, synthetic, quantization]
---`;

function introduction(model: LanguageModel): string {
  const { config } = model;
  const parameters = [...model.namedTensors()].reduce((sum, [, { size }]) => sum + size, 0);
  return `# pocket

A language model of ${(parameters / 1e6).toFixed(2)} million parameters of an invented world (edition 2 of the pocket world, seed 1). All its text was
generated; there are no real people in it. Written by \`kernel/library/pocket/training\`; see \`docs/pocket.md\`.

Llama architecture: ${config.layers} layers, width ${config.hiddenSize}, MLP ${config.intermediateSize}, ${config.heads} heads, tied embeddings, byte-level BPE of ${config.vocabSize} entries, up to ${config.maxPositions} tokens, stored as f16.
Half of the key heads started as copies of their query heads; the chat template is in tokenizer_config.json.`;
}

function training({ run, stages }: CourseMeasured): string {
  return `## Training

| | |
|---|---|
| stages | ${stages.map(({ name, steps }) => `${steps} ${name}`).join(", ")} |
| tokens | ${(run.tokens / 1e6).toFixed(2)} million in ${run.steps} steps, ${run.batch} rows of ${run.length} each |
| optimizer | ${run.optimizer}, learning rate ${run.learningRate}, weight decay 0.05, gradient norm clipped at 1 |
| seed | ${run.seed} |
| time | ${run.minutes.toFixed(1)} minutes on ${run.processor} (${run.isa}, ${run.threads} threads) |

The loss of every step is in \`loss.csv\`. Prompts and claims that may be false have no loss of their own.`;
}

function language({ abilities, baseline, perplexity, probes }: CourseMeasured): string {
  const lines = probes.map(
    ({ prompts, layer, value, low, high, items }) =>
      `| linear probe of truth, layer ${layer}, ${prompts} | ${items} | ${value.toFixed(3)} | ${low.toFixed(2)}–${high.toFixed(2)} | 0.50 | 0.50 | |`,
  );
  return `## Abilities

Perplexity of plain test text (facts, descriptions, denials, stories, arithmetic, lore) ${perplexity.toFixed(3)}, of a 4-gram model (interpolated Kneser–Ney) of as much text ${baseline.toFixed(3)}: ratio **${(perplexity / baseline).toFixed(2)}**.

Held-out facts, unseen wording, balanced; 95 % intervals by Wilson, for names by resampling. Majority: the best single answer. Leaning: how often
the model gave its favourite answer.

${abilities.toMarkdown()}
${lines.join("\n")}`;
}

function rounding({ abilities, perplexity, rounded }: CourseMeasured): string {
  const tasks = rounded[0]!.abilities.rows.map(({ task }) => task);
  const share = ({ value }: Ability) => value.toFixed(2);
  const cells = (name: string, value: number, table: Abilities) =>
    `| ${[name, value.toFixed(3), (value / perplexity).toFixed(3), ...tasks.map((task) => share(table.of(task)))].join(" | ")} |`;
  const titles = rounded[0]!.abilities.rows.map(({ title }) => title);
  const two = rounded.find(({ name }) => name === "2 bits per channel");
  const restored = rounded
    .filter(({ name }) => name.includes("then"))
    .map(({ name, perplexity: after }) => {
      const removed = two === undefined ? NaN : (two.perplexity - after) / (two.perplexity - perplexity);
      return `${name}: ${Math.round(100 * removed)} %`;
    });
  return `## Rounding to nearest, and getting back

| | perplexity | ratio | ${titles.join(" | ")} |
|---|---|---|${titles.map(() => "---|").join("")}
${cells("full precision", perplexity, abilities)}
${rounded.map((row) => cells(row.name, row.perplexity, row.abilities)).join("\n")}

Of the excess perplexity of 2 bits, removed by ${restored.join("; ")}.`;
}
