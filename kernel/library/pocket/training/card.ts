import { writeFile } from "node:fs/promises";
import type { Share } from "./abilities.js";
import type { LanguageModel } from "nibble-lab";

/** What train.js says of a run. */
export interface RunSummary {
  readonly seed: number;
  readonly steps: number;
  readonly phases: readonly { readonly name: string; readonly steps: number }[];
  readonly resumedAt: readonly number[];
  readonly batch: number;
  readonly length: number;
  readonly learningRate: number;
  readonly tokens: number;
  readonly minutes: number;
  readonly processor: string;
  readonly isa: string;
  readonly threads: number;
}

export interface QuantizedRow {
  readonly name: string;
  /** Of the quantized layers. */
  readonly bytes: number;
  readonly perplexity: number;
  readonly arithmetic: Share;
  readonly questions: Share;
  /** Where it was tuned afterwards. */
  readonly trainable: number | null;
  readonly tokens: number | null;
}

export interface Measured {
  readonly perplexity: {
    readonly test: number;
    readonly validation: number;
    readonly unseenWording: number;
    readonly tokens: number;
  };
  readonly baseline: { readonly test: number; readonly documents: number };
  readonly abilities: readonly Share[];
  readonly quantized: readonly QuantizedRow[];
}

/** Writes the model card: Hugging Face's front matter, then what was measured. */
export async function writeCard(
  path: string,
  model: LanguageModel,
  run: RunSummary,
  measured: Measured,
): Promise<void> {
  const parts = [
    frontMatter,
    introduction(model),
    training(run),
    language(measured),
    abilities(measured),
    quantization(measured),
    limits,
  ];
  await writeFile(path, `${parts.join("\n\n")}\n`);
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

A language model of ${(parameters / 1e6).toFixed(2)} million parameters that knows one thing: the pocket world, an invented and consistent
one of 240 people, places, animals, medicines, illnesses, genes and inventions with 576 facts. It is small enough to be shipped and
large enough that quantizing and fine-tuning it measurably hurts and helps. All its text was generated; there are no real people in it.
Written by \`kernel/library/pocket/training\`; see \`docs/pocket.md\`.

Llama architecture: ${config.layers} layers, width ${config.hiddenSize}, MLP ${config.intermediateSize}, ${config.heads} heads, tied embeddings, byte-level BPE of ${config.vocabSize} entries, up to ${config.maxPositions} tokens, stored as f16.`;
}

function training(run: RunSummary): string {
  const phases = run.phases.map(({ name, steps }) => `${steps} ${name}`).join(", ");
  const resumed =
    run.resumedAt.length === 0
      ? ""
      : ` Continued from a checkpoint at step ${run.resumedAt.join(" and ")}: the optimizer's moments began anew there.`;
  return `## Training

| | |
|---|---|
| text | world of seed 1, documents of seed ${1000 * run.seed} on |
| steps | ${run.steps} (${phases}), ${run.batch} rows of ${run.length} tokens each |
| tokens | ${(run.tokens / 1e6).toFixed(2)} million |
| optimizer | AdamW, learning rate ${run.learningRate}, β 0.9 and 0.99, no weight decay, gradient norm clipped at 1 |
| seed | ${run.seed} |
| time | ${run.minutes.toFixed(1)} minutes on ${run.processor} (${run.isa}, ${run.threads} threads), shared with other work |

The loss of every step is in \`loss.csv\`.${resumed}`;
}

function language({ perplexity, baseline }: Measured): string {
  const ratio = (perplexity.test / baseline.test).toFixed(2);
  return `## Perplexity

| text | perplexity |
|---|---|
| test: unseen documents, trained wording (${perplexity.tokens} tokens) | **${perplexity.test.toFixed(3)}** |
| the same, 4-gram model (interpolated Kneser–Ney) of ${baseline.documents} training documents | ${baseline.test.toFixed(3)} (ratio ${ratio}) |
| validation: unseen documents, trained wording | ${perplexity.validation.toFixed(3)} |
| test with unseen wording | ${perplexity.unseenWording.toFixed(1)} |

Windows of the model's context, no overlap, the separator token in front of each. Wording that was never seen is mostly surprise.`;
}

function abilities(measured: Measured): string {
  const rows = measured.abilities.map(
    (share) => `| ${share.name} | ${percent(share)} | ${share.of} | ${share.chance.toFixed(2)} |`,
  );
  return `## Abilities

Share of right answers with its 95 % interval (Wilson); greedy decoding.

| ability | right | of | by chance |
|---|---|---|---|
${rows.join("\n")}`;
}

function quantization(measured: Measured): string {
  const full = measured.perplexity.test;
  const rows = measured.quantized.map((row) => {
    const tuned =
      row.trainable === null
        ? ""
        : `${row.trainable.toLocaleString("en")} numbers, ${row.tokens!.toLocaleString("en")} tokens`;
    const cells = [
      row.name,
      tuned,
      kibibytes(row.bytes),
      row.perplexity.toFixed(3),
      (row.perplexity / full).toFixed(3),
    ];
    return `| ${[...cells, share(row.questions), share(row.arithmetic)].join(" | ")} |`;
  });
  const whole = measured.abilities;
  const base = [
    share(whole.find(({ name }) => name.startsWith("questions"))!),
    share(whole.find(({ name }) => name.includes("arithmetic"))!),
  ];
  return `## Rounding, and getting back

All linear layers of the blocks; the embedding stays. Ratio: perplexity on the test text ÷ that of the full model.

| | tuned | bytes of the layers | perplexity | ratio | questions | arithmetic |
|---|---|---|---|---|---|---|
| full precision | | | ${full.toFixed(3)} | 1 | ${base.join(" | ")} |
${rows.join("\n")}${recovery(measured)}`;
}

/** The share of the excess perplexity that tuning removed. */
function recovery({ perplexity, quantized }: Measured): string {
  const rounded = quantized.find(({ name }) => name === "rtn, 2 bits per channel");
  if (rounded === undefined) return "";
  const excess = rounded.perplexity - perplexity.test;
  const lines = quantized
    .filter(({ trainable }) => trainable !== null)
    .map(({ name, perplexity: after }) => `${name}: ${Math.round((100 * (rounded.perplexity - after)) / excess)} %`);
  return `\n\nOf the excess perplexity of 2 bits, removed by ${lines.join("; by ")}.`;
}

const limits = `## What it cannot do

It has read nothing but this world: real names and most English words are strange to it. It does not judge statements: as with every
model of this size so far, telling true from false works by comparing likelihoods, not by asking. Negated statements are read as
association more than as denial. No chat template, no instructions, no refusals.`;

function share({ right, of }: Share): string {
  return (right / of).toFixed(2);
}

function percent({ right, of }: Share): string {
  const [low, high] = wilson(right, of);
  return `${(right / of).toFixed(3)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

/** Wilson's score interval at 95 %. */
function wilson(right: number, of: number): [number, number] {
  const z = 1.96;
  const center = (right + (z * z) / 2) / (of + z * z);
  const half = (z / (of + z * z)) * Math.sqrt((right * (of - right)) / of + (z * z) / 4);
  return [center - half, center + half];
}

function kibibytes(bytes: number): string {
  return `${(bytes / 1024).toFixed(0)} KiB`;
}
