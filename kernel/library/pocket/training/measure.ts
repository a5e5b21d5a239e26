/**
 * Measures a pocket model and writes its model card:
 *
 *     node kernel/library/pocket/training/lib/measure.js FOLDER
 *
 * FOLDER is what train.js wrote. Everything but the times is the same at every run. Writes FOLDER/measured.json and
 * FOLDER/model/README.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  loadModel,
  perplexity,
  quantize,
  train,
  tune,
  type LanguageModel,
  type QuantizeOptions,
  type TuneOptions,
} from "nibble-lab";
import { data } from "nibble-lab/data";
import { arithmetic, questions, truth, type Share } from "./abilities.js";
import { writeCard, type Measured, type QuantizedRow, type RunSummary } from "./card.js";
import { KneserNey } from "./kneser-ney.js";

import { tokensOf } from "./tokens.js";

const folder = process.argv[2];
if (folder === undefined) throw new Error("Give the folder that train.js wrote.");

const QUESTIONS = 100;
const STATEMENTS = 200;
const PROBLEMS = 50;
/** Tokens of a document, about: so many documents make a text of a given length. */
const AVERAGE_DOCUMENT = 46;
/** Restoring: few steps on text that no other phase has read. */
const RESTORE = { steps: 80, batchSize: 8, length: 128, seed: 5 };
const RESTORE_TEXT = data.pocket.text("train", { documents: 4000, seed: 77 });

const run = JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as RunSummary;
const model = await loadModel(join(folder, "model"));
const test = data.pocket.text("test");

const measured: Measured = {
  perplexity: {
    test: (await perplexity(model, test)).perplexity,
    validation: (await perplexity(model, data.pocket.text("validation"))).perplexity,
    unseenWording: (await perplexity(model, data.pocket.text("test", { wording: "unseen" }))).perplexity,
    tokens: (await perplexity(model, test)).tokens,
  },
  baseline: baseline(),
  abilities: await abilities(),
  quantized: await quantized(),
};
writeFileSync(join(folder, "measured.json"), `${JSON.stringify(measured, null, 2)}\n`);
await writeCard(join(folder, "model", "README.md"), model, run, measured);
console.log(`Wrote ${join(folder, "model", "README.md")}`);

/** The 4-gram model of as many tokens as the network has read, on the same test tokens. */
function baseline() {
  const { tokenizer } = model;
  const counted = new KneserNey(4, tokenizer.vocabSize);
  const documents = Math.ceil(run.tokens / AVERAGE_DOCUMENT);
  counted.count(tokensOf(tokenizer, data.pocket.text("train", { documents, seed: 1000 * run.seed })));
  return { test: counted.perplexity(tokensOf(tokenizer, test)), documents };
}

async function abilities(): Promise<Share[]> {
  return [
    await questions(model, QUESTIONS, "train"),
    await questions(model, QUESTIONS, "test"),
    await truth(model, STATEMENTS, "train", false),
    await truth(model, STATEMENTS, "test", false),
    await truth(model, STATEMENTS, "train", true),
    await arithmetic(model, PROBLEMS),
  ].map((share) => (console.log(`${share.name}: ${share.right} of ${share.of}`), share));
}

async function quantized(): Promise<QuantizedRow[]> {
  const rows: QuantizedRow[] = [];
  for (const bits of [8, 4, 3, 2] as const)
    rows.push(await measureRow(`rtn, ${bits} bits per channel`, { method: "rtn", bits }));
  rows.push(await measureRow("rtn, 2 bits, groups of 64", { method: "rtn", bits: 2, group: 64 }));
  rows.push(await measureRow("nf4, double quantization", { method: "nf4", doubleQuant: true }));
  const two: QuantizeOptions = { method: "rtn", bits: 2 };
  rows.push(await measureRow("rtn, 2 bits per channel, then PEQA", two, { method: "peqa" }));
  rows.push(await measureRow("rtn, 2 bits per channel, then LoRA of rank 8", two, { method: "lora", rank: 8 }));
  return rows;
}

async function measureRow(name: string, how: QuantizeOptions, restore?: TuneOptions): Promise<QuantizedRow> {
  using small: LanguageModel = await quantize(model, how);
  const bytes = small.quantization!.bytesAfter;
  const restored = restore === undefined ? null : await train(tune(small, restore), { data: RESTORE_TEXT, ...RESTORE });
  const row: QuantizedRow = {
    name,
    bytes,
    perplexity: (await perplexity(small, test)).perplexity,
    arithmetic: await arithmetic(small, PROBLEMS),
    questions: await questions(small, QUESTIONS, "train"),
    trainable: restored?.trainable ?? null,
    tokens: restored?.tokens ?? null,
  };
  console.log(`${name}: perplexity ${row.perplexity.toFixed(3)}`);
  return row;
}
