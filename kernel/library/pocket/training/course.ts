import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  abilities,
  createModel,
  createOptimizer,
  train,
  tune,
  type LanguageModel,
  type NewModelConfig,
  type Optimizer,
  type Tokenizer,
  type TrainingStep,
  type WeightedTokens,
} from "nibble-lab";
import type { Pocket } from "nibble-lab/data";
import { loadCheckpoint, readLatest, restoreMoments, saveCheckpoint, type Progress } from "./checkpoint.js";
import { encodeDocument } from "./encode.js";
import type { Stage } from "./stages.js";

export interface CourseOptions {
  /** Where checkpoints, loss.csv and stages.json go; a course that was begun there goes on. */
  readonly out: string;
  readonly stages: readonly Stage[];
  readonly pocket: Pocket;
  readonly architecture: NewModelConfig;
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  readonly batchSize: number;
  readonly length: number;
  readonly optimizer: "muon" | "adamw";
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Steps between checkpoints; a stage that may end early is asked then. */
  readonly checkpointEvery: number;
  readonly report?: (stage: Stage, step: TrainingStep) => void;
}

/** What learn.js says of a run. */
export interface CourseRun {
  readonly seed: number;
  readonly optimizer: string;
  readonly learningRate: number;
  readonly batch: number;
  readonly length: number;
  readonly steps: number;
  readonly tokens: number;
  /** Of the last part, where it was stopped and begun again. */
  readonly minutes: number;
  readonly processor: string;
  readonly isa: string;
  readonly threads: number;
}

const ASKED_ITEMS = 200;
const LOSS_HEAD = "step,stage,loss,learning_rate,gradient_norm\n";

/**
 * Trains a model through all stages with one optimizer, whose moments go from stage to stage. The same options give the same bytes,
 * whether the course runs through or is stopped, at any instant, and begun again: then it goes on from its last checkpoint.
 */
export async function runCourse(options: CourseOptions): Promise<LanguageModel> {
  const { out } = options;
  mkdirSync(out, { recursive: true });
  const latest = readLatest(out);
  const model = tune(latest === null ? newModel(options) : await loadCheckpoint(out, latest), { method: "full" });
  try {
    using optimizer = createOptimizer(model.trainableParameters(), {
      optimizer: options.optimizer,
      beta2: 0.98,
      weightDecay: options.weightDecay,
      groups: [{ names: "*Norm.weight", weightDecay: 0 }],
    });
    if (latest !== null) await restoreMoments(out, latest, optimizer);
    await runStages(model, optimizer, options, latest ?? { stage: 0, stageSteps: 0, steps: 0, finished: [] });
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function runStages(
  model: LanguageModel,
  optimizer: Optimizer,
  options: CourseOptions,
  from: Progress,
): Promise<void> {
  const { out, stages } = options;
  let progress = from;
  startLog(out, progress.steps);
  for (let stage = progress.stage; stage < stages.length; stage++) {
    const text = textOf(options, stage);
    while (progress.stage === stage) {
      progress = await runPart(model, optimizer, options, progress, text);
      await saveCheckpoint(out, model, optimizer, progress);
    }
  }
  const steps = stages.map(({ name }, index) => ({ name, steps: progress.finished[index] }));
  writeFileSync(join(out, "stages.json"), `${JSON.stringify(steps, null, 2)}\n`);
}

/** A tied start in half of the heads (docs/pocket.md); a generated answer also ends where the user's turn would begin. */
function newModel({ architecture, tokenizer, seed }: CourseOptions): LanguageModel {
  const kvHeads = architecture.kvHeads ?? architecture.heads;
  const [user] = tokenizer.encode("<|user|>", { bos: false }) as [number];
  const config = { ...architecture, eosTokens: [tokenizer.eosToken ?? user, user] };
  return createModel(config, {
    seed,
    tokenizer,
    name: "pocket",
    linearStd: "fanIn",
    tiedKeyHeads: Math.floor(kvHeads / 2),
  });
}

/** The steps up to the next checkpoint. */
async function runPart(
  model: LanguageModel,
  optimizer: Optimizer,
  options: CourseOptions,
  progress: Progress,
  text: WeightedTokens,
): Promise<Progress> {
  const stage = options.stages[progress.stage]!;
  const end = Math.min(stage.steps, progress.stageSteps + options.checkpointEvery);
  const { steps, schedule, warmup } = stage;
  const { batchSize, length, learningRate, seed } = options;
  const training = train(model, {
    data: [text],
    ...{ steps, schedule, warmup, batchSize, length, learningRate, seed },
    state: optimizer,
    stepsDone: progress.stageSteps,
  });
  for await (const step of training) {
    const made = progress.steps + step.step - progress.stageSteps;
    appendFileSync(
      join(options.out, "loss.csv"),
      `${[made, stage.name, step.loss, step.learningRate, step.gradientNorm].join()}\n`,
    );
    options.report?.(stage, step);
    if (step.step === end) break;
  }
  const next = { ...progress, stageSteps: end, steps: progress.steps + end - progress.stageSteps };
  if (end < steps && !(await hasLearned(model, options, stage))) return next;
  return { ...next, stage: progress.stage + 1, stageSteps: 0, finished: [...progress.finished, end] };
}

async function hasLearned(model: LanguageModel, { pocket }: CourseOptions, { until }: Stage): Promise<boolean> {
  if (until === undefined) return false;
  const { task, right } = until;
  const table = await abilities(model, {
    pocket,
    tasks: [task],
    items: ASKED_ITEMS,
    split: "validation",
    wording: "trained",
  });
  return table.of(task).value >= right;
}

/** As much text as the stage's steps read once. No two stages read the same documents. */
function textOf({ pocket, tokenizer, stages, seed, batchSize, length }: CourseOptions, index: number): WeightedTokens {
  const { shares, steps } = stages[index]!;
  const enough = steps * batchSize * length + 1;
  const text = pocket.text("train", {
    documents: Number.MAX_SAFE_INTEGER,
    seed: 1000 * seed + index,
    ...(shares !== undefined && { shares }),
  });
  const tokens = new Int32Array(enough);
  const weights = new Float32Array(enough);
  let filled = 0;
  for (const document of text.stream()) {
    const encoded = encodeDocument(tokenizer, document);
    const taken = Math.min(encoded.tokens.length, enough - filled);
    for (let i = 0; i < taken; i++, filled++) {
      tokens[filled] = encoded.tokens[i]!;
      weights[filled] = encoded.weights[i]!;
    }
    if (filled === enough) break;
  }
  return { tokens, weights };
}

/** Steps behind the checkpoint are made again, so their lines go. */
function startLog(out: string, steps: number): void {
  const path = join(out, "loss.csv");
  const lines = existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .slice(1, steps + 1)
    : [];
  writeFileSync(path, LOSS_HEAD + lines.map((line) => `${line}\n`).join(""));
}
