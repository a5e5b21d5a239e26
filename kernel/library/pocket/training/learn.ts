/**
 * Trains a model of edition 2 through all stages (stages.ts) and writes it into a folder:
 *
 *     node kernel/library/pocket/training/lib/learn.js --out FOLDER [--seed N] [--width N] [--layers N] [--batch N]
 *         [--optimizer muon|adamw] [--learning-rate X] [--scale X]
 *
 * `--scale .1` takes a tenth of every stage's steps. A run that was stopped goes on when it is started again with the same arguments, and
 * ends with the same bytes. Writes FOLDER/model (f16), loss.csv, stages.json and run.json; report.js writes the model card from them.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { engineInfo, loadTokenizer, saveModel } from "nibble-lab";
import { data } from "nibble-lab/data";
import { runCourse, type CourseRun } from "./course.js";
import { storeAsHalf } from "./half.js";
import { CONTEXT, TOKENIZER_FOLDER } from "./model.js";
import { stages } from "./stages.js";

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    seed: { type: "string", default: "1" },
    width: { type: "string", default: "192" },
    layers: { type: "string", default: "6" },
    batch: { type: "string", default: "8" },
    optimizer: { type: "string", default: "muon" },
    "learning-rate": { type: "string", default: "3e-3" },
    scale: { type: "string", default: "1" },
  },
});
if (values.out === undefined) throw new Error("Give --out FOLDER: where checkpoints and the model go.");
const out = values.out;
const width = Number(values.width);
const scale = Number(values.scale);
const tokenizer = await loadTokenizer(TOKENIZER_FOLDER);
const HEAD = 32;
const REPORT_EVERY = 25;

const started = performance.now();
const { processor, isa, threads } = engineInfo();
console.log(`${processor}, ${isa}, ${threads} threads`);
const model = await runCourse({
  out,
  stages: stages.map((stage) => ({ ...stage, steps: Math.max(1, Math.round(stage.steps * scale)) })),
  pocket: data.pocket2,
  architecture: {
    vocabSize: tokenizer.vocabSize,
    hiddenSize: width,
    intermediateSize: 3 * width,
    layers: Number(values.layers),
    heads: width / HEAD,
    maxPositions: CONTEXT,
  },
  tokenizer,
  seed: Number(values.seed),
  batchSize: Number(values.batch),
  length: CONTEXT,
  optimizer: values.optimizer === "adamw" ? "adamw" : "muon",
  learningRate: Number(values["learning-rate"]),
  weightDecay: 0.05,
  checkpointEvery: 50,
  report: ({ name }, { step, steps, loss, tokensPerSecond }) => {
    if (step % REPORT_EVERY !== 0) return;
    console.log(`${name} ${step}/${steps}: loss ${loss.toFixed(3)}, ${Math.round(tokensPerSecond)} tokens/s`);
  },
});
rmSync(join(out, "model"), { recursive: true, force: true });
await saveModel(model, join(out, "model"));
await storeAsHalf(join(out, "model"));
const steps = readFileSync(join(out, "loss.csv"), "utf8").trimEnd().split("\n").length - 1;
const run: CourseRun = {
  seed: Number(values.seed),
  optimizer: values.optimizer,
  learningRate: Number(values["learning-rate"]),
  batch: Number(values.batch),
  length: CONTEXT,
  steps,
  tokens: steps * Number(values.batch) * CONTEXT,
  minutes: (performance.now() - started) / 60_000,
  ...{ processor, isa, threads },
};
writeFileSync(join(out, "run.json"), `${JSON.stringify(run, null, 2)}\n`);
