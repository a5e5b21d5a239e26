/**
 * Measures a model of edition 2 and writes its model card:
 *
 *     node kernel/library/pocket/training/lib/report.js FOLDER [--items N]
 *
 * FOLDER is what learn.js wrote. Everything but the times is the same at every run. Writes FOLDER/measured.json and
 * FOLDER/model/README.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  abilities,
  loadModel,
  perplexity,
  quantize,
  train,
  truthProbe,
  tune,
  type LanguageModel,
  type TuneOptions,
} from "nibble-lab";
import { data } from "nibble-lab/data";
import type { CourseRun } from "./course.js";
import { encodeDocument } from "./encode.js";
import { KneserNey } from "./kneser-ney.js";
import { courseCard, type CourseMeasured, type RoundedRow } from "./report-card.js";
import { plainText } from "./stages.js";
import { tokensOf } from "./tokens.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { items: { type: "string", default: "300" } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error("Give the folder that learn.js wrote.");
const items = Number(values.items);
const pocket = data.pocket2;
/** The restoring text is of a seed that no stage reads. */
const RESTORE = { steps: 80, batchSize: 8, length: 128, seed: 5 };
const RESTORE_TEXT = pocket.text("train", { documents: 4000, seed: 77 });
const AVERAGE_DOCUMENT = 50; // tokens, about

const run = JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as CourseRun;
const stages = JSON.parse(readFileSync(join(folder, "stages.json"), "utf8")) as CourseMeasured["stages"];
using model = await loadModel(join(folder, "model"));
const test = pocket.text("test", { shares: plainText });
const whole = (await perplexity(model, test)).perplexity;
const measured: CourseMeasured = {
  run,
  stages,
  perplexity: whole,
  baseline: baseline(),
  abilities: await abilities(model, { pocket, items }),
  probes: [
    await truthProbe(model, { pocket, prompts: "honest" }),
    await truthProbe(model, { pocket, prompts: "deceptive" }),
  ],
  rounded: await rounded(),
};
writeFileSync(join(folder, "measured.json"), `${JSON.stringify(measured, null, 2)}\n`);
writeFileSync(join(folder, "model", "README.md"), courseCard(model, measured));
console.log(`Wrote ${join(folder, "model", "README.md")}`);

/** The perplexity of a 4-gram model that has read as many tokens of such text, on the same test tokens. */
function baseline(): number {
  const counted = new KneserNey(4, model.tokenizer.vocabSize);
  const documents = Math.ceil(run.tokens / AVERAGE_DOCUMENT);
  counted.count(
    tokensOf(model.tokenizer, pocket.text("train", { documents, seed: 1000 * run.seed, shares: plainText })),
  );
  return counted.perplexity(tokensOf(model.tokenizer, test));
}

async function rounded(): Promise<RoundedRow[]> {
  const rows: RoundedRow[] = [];
  for (const bits of [8, 4, 3, 2] as const) rows.push(await row(`${bits} bits per channel`, bits));
  rows.push(await row("2 bits per channel, then PEQA", 2, { method: "peqa" }));
  rows.push(await row("2 bits per channel, then LoRA of rank 8", 2, { method: "lora", rank: 8 }));
  return rows;
}

async function row(name: string, bits: 8 | 4 | 3 | 2, restore?: TuneOptions): Promise<RoundedRow> {
  using small: LanguageModel = await quantize(model, { method: "rtn", bits });
  if (restore !== undefined) {
    const documents = RESTORE_TEXT.documents.map((document) => encodeDocument(model.tokenizer, document));
    await train(tune(small, restore), { data: documents, ...RESTORE });
  }
  const { perplexity: value } = await perplexity(small, test);
  const table = await abilities(small, { pocket, items, tasks: ["arithmetic", "questions", "honest", "refuse"] });
  console.log(`${name}: perplexity ${value.toFixed(3)}`);
  return { name, perplexity: value, abilities: table };
}
