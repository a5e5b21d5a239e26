/**
 * Trains the pocket model with the library's own public API and writes it into a folder:
 *
 *     node kernel/library/pocket/training/lib/train.js --out FOLDER [--steps N] [--decay-steps N] [--batch N] [--learning-rate X] [--seed N]
 *
 * The learning rate stays constant for `--steps`, then falls to zero over `--decay-steps`. The same arguments give the same
 * weights. A checkpoint is written every hundred steps into FOLDER/checkpoint; `--from CHECKPOINT` goes on from it, also to other
 * numbers of steps (the optimizer's moments begin anew). Writes loss.csv, and run.json with the numbers of the run. The weights are stored as f16.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createModel, engineInfo, loadModel, loadTokenizer, saveModel, train, tune } from "nibble-lab";
import { data } from "nibble-lab/data";
import { storeAsHalf } from "./half.js";
import { ARCHITECTURE, CONTEXT, MODEL_FOLDER } from "./model.js";

/** Stands beside a checkpoint. */
const PROGRESS = "progress.json";
interface Progress {
  readonly step: number;
  readonly minutes: number;
  /** Steps at which a run went on from a checkpoint. */
  readonly resumedAt: readonly number[];
}

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    steps: { type: "string", default: "1000" },
    "decay-steps": { type: "string", default: "300" },
    batch: { type: "string", default: "8" },
    "learning-rate": { type: "string", default: "3e-3" },
    seed: { type: "string", default: "1" },
    from: { type: "string" },
  },
});
if (values.out === undefined) throw new Error("Give --out FOLDER: where the model and the numbers of the run go.");
const out = values.out;
const batch = Number(values.batch);
const learningRate = Number(values["learning-rate"]);
const seed = Number(values.seed);
const before = values.from === undefined ? null : (JSON.parse(readFileSync(join(values.from, PROGRESS), "utf8")) as Progress);
const done = before?.step ?? 0;
const resumedAt = before === null ? [] : [...before.resumedAt, before.step];

const CHECKPOINT_EVERY = 100;
const REPORT_EVERY = 25;
/** Documents are never fewer tokens than this on average, so that each phase has text enough for its rows. */
const TOKENS_PER_DOCUMENT = 40;

const phases = [
  { name: "constant", schedule: "constant", steps: Number(values.steps), warmup: 50 },
  { name: "decay", schedule: "linear", steps: Number(values["decay-steps"]), warmup: 0 },
] as const;

mkdirSync(out, { recursive: true });
const log = join(out, "loss.csv");
if (before === null) writeFileSync(log, "step,loss,learning_rate,gradient_norm,tokens_per_second\n");
const model = tune(await begin(), { method: "full" });
const started = performance.now();
let step = done;
for (const [index, phase] of phases.entries()) await runPhase(phase, index);
await saveModel(model, join(out, "model"), { overwrite: true });
await storeAsHalf(join(out, "model"));
writeFileSync(join(out, "run.json"), `${JSON.stringify(summary(), null, 2)}\n`);

async function begin() {
  if (values.from !== undefined) return loadModel(values.from);
  const tokenizer = await loadTokenizer(MODEL_FOLDER);
  return createModel(ARCHITECTURE, { seed, name: "pocket", tokenizer });
}

/** Each phase reads other documents: what a finished part of it has read is not read again. */
async function runPhase(phase: (typeof phases)[number], index: number): Promise<void> {
  const earlier = phases.slice(0, index).reduce((sum, { steps }) => sum + steps, 0);
  const steps = phase.steps - Math.max(0, done - earlier);
  if (steps <= 0) return;
  const documents = Math.ceil((steps * batch * CONTEXT) / TOKENS_PER_DOCUMENT);
  const text = data.pocket.text("train", { documents, seed: 1000 * seed + step });
  const { schedule, warmup } = phase;
  const options = {
    data: text,
    steps,
    batchSize: batch,
    length: CONTEXT,
    learningRate,
    schedule,
    warmup,
    beta2: 0.99,
    seed,
  };
  for await (const { loss, learningRate: rate, gradientNorm, tokensPerSecond } of train(model, options)) {
    step++;
    appendFileSync(log, `${[step, loss, rate, gradientNorm, tokensPerSecond].join()}\n`);
    if (step % REPORT_EVERY === 0) {
      const seconds = (performance.now() - started) / 1000;
      console.log(
        `${phase.name} ${step}: loss ${loss.toFixed(3)}, ${Math.round(tokensPerSecond)} tokens/s, ${Math.round(seconds)} s`,
      );
    }
    if (step % CHECKPOINT_EVERY === 0) await saveCheckpoint();
  }
}

async function saveCheckpoint(): Promise<void> {
  const folder = join(out, "checkpoint");
  await saveModel(model, folder, { overwrite: true });
  writeFileSync(join(folder, PROGRESS), JSON.stringify({ step, minutes: minutes(), resumedAt } satisfies Progress));
}

function minutes(): number {
  return (before?.minutes ?? 0) + (performance.now() - started) / 60_000;
}

function summary() {
  const { processor, isa, threads } = engineInfo();
  return {
    seed,
    steps: step,
    phases: phases.map(({ name, steps }) => ({ name, steps })),
    resumedAt,
    batch,
    length: CONTEXT,
    learningRate,
    tokens: step * batch * CONTEXT,
    minutes: minutes(),
    processor,
    isa,
    threads,
  };
}
