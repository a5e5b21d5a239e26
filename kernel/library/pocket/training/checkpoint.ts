import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  loadModel,
  SafetensorsFile,
  saveModel,
  writeSafetensors,
  type LanguageModel,
  type Optimizer,
} from "nibble-lab";

/** Where a course stands. */
export interface Progress {
  /** Index of the stage. */
  readonly stage: number;
  /** Steps made of this stage. */
  readonly stageSteps: number;
  /** Steps made in all. */
  readonly steps: number;
  /** How many steps each finished stage took. */
  readonly finished: readonly number[];
}

const LATEST = "latest.json";
const MOMENTS = "optimizer.safetensors";

/** A checkpoint counts from the moment in which "latest" names it: a run that dies while writing loses nothing. */
export async function saveCheckpoint(
  folder: string,
  model: LanguageModel,
  optimizer: Optimizer,
  progress: Progress,
): Promise<void> {
  const before = readLatest(folder);
  const name = `checkpoint-${progress.stage}-${progress.stageSteps}`;
  const target = join(folder, name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await saveModel(model, target);
  await writeSafetensors(join(target, MOMENTS), new Map(optimizer.namedTensors()));
  writeFileSync(
    join(folder, `${LATEST}.new`),
    JSON.stringify({ ...progress, name, optimizerSteps: optimizer.step } satisfies Latest),
  );
  renameSync(join(folder, `${LATEST}.new`), join(folder, LATEST));
  if (before !== null) rmSync(join(folder, before.name), { recursive: true, force: true });
}

interface Latest extends Progress {
  readonly name: string;
  readonly optimizerSteps: number;
}

export function readLatest(folder: string): Latest | null {
  const path = join(folder, LATEST);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Latest) : null;
}

export function loadCheckpoint(folder: string, latest: Latest): Promise<LanguageModel> {
  return loadModel(join(folder, latest.name));
}

export async function restoreMoments(folder: string, latest: Latest, optimizer: Optimizer): Promise<void> {
  const file = await SafetensorsFile.open(join(folder, latest.name, MOMENTS));
  const saved = new Map<string, Float32Array>();
  for (const name of file.tensors.keys()) {
    using tensor = await file.read(name, "optimizer");
    saved.set(name, tensor.arraySync() as Float32Array);
  }
  await file.close();
  optimizer.restore(latest.optimizerSteps, saved);
}
