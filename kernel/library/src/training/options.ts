import { isTokenSource, type TokenSource } from "../data/tokens.js";
import { OptionError } from "../errors.js";
import type { LanguageModel } from "../models/model.js";
import { choice, custom, flag, integer, real, signal } from "../options.js";
import {
  checkOptimizerOptions,
  groupRules,
  Optimizer,
  optimizers,
  type GroupOptions,
  type OptimizerName,
  type OptimizerOptions,
} from "./optimizers/index.js";
import { schedules, type ScheduleName } from "./schedule.js";

/** What every optimizer's training takes. */
export interface TrainCommonOptions extends GroupOptions {
  /** A text, documents, or token ids. Only as many documents are read as the steps need. */
  readonly data: TokenSource;
  /** Updates of the weights. Default 100. */
  readonly steps?: number;
  /** So many of the steps were made before, by a training that ended early: rows and learning rate go on after them. Default 0. */
  readonly stepsDone?: number;
  /** An optimizer from `createOptimizer` instead of a new one. It stays yours, so its moments outlive the training. */
  readonly state?: Optimizer;
  /** Default: the tuner's own, see `model.tuning`. */
  readonly learningRate?: number;
  /** Rows of one forward pass. Default 8. */
  readonly batchSize?: number;
  /** Tokens of a row. Default 128, or the model's positions where they are fewer. */
  readonly length?: number;
  /** Forward passes whose gradients are averaged into one step. Default 1. */
  readonly gradientAccumulation?: number;
  /** How the learning rate moves after the warm-up. Default "cosine". */
  readonly schedule?: ScheduleName;
  /** Steps over which the learning rate rises from 0. Default 0. */
  readonly warmup?: number;
  /** The largest norm of all gradients together; larger ones are scaled down. 0 = no clipping. Default 1. */
  readonly clip?: number;
  /** Keep only what goes from block to block, and compute a block again for its gradient: less memory, a third more time. Default false. */
  readonly gradientCheckpointing?: boolean;
  /** Of the order of the rows. Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/**
 * Options of `train`: the common ones, `optimizer` (default "adamw") and that optimizer's own.
 *
 * @example
 * { data, steps: 200, learningRate: 1e-3, optimizer: "muon", groups: [{ names: "*Norm.weight", weightDecay: 0 }] }
 */
export type TrainOptions = TrainCommonOptions & OptimizerOptions;

const DEFAULT_LENGTH = 128;

/** The checked options of `train`. @throws {OptionError} */
export function trainOptions(model: LanguageModel, options: TrainOptions) {
  const positions = model.config.maxPositions;
  const rules = {
    ...groupRules,
    data: custom<TokenSource>("a text, an iterable of texts, or an Int32Array of token ids", isTokenSource),
    steps: integer({ from: 1, fallback: 100 }),
    learningRate: real({ from: 0 }),
    batchSize: integer({ from: 1, fallback: 8 }),
    length: integer({ from: 1, to: positions, fallback: Math.min(DEFAULT_LENGTH, positions) }),
    gradientAccumulation: integer({ from: 1, fallback: 1 }),
    schedule: choice<ScheduleName>(Object.keys(schedules) as ScheduleName[], { fallback: "cosine" }),
    warmup: integer({ from: 0, fallback: 0 }),
    clip: real({ from: 0, fallback: 1 }),
    gradientCheckpointing: flag({ fallback: false }),
    seed: integer({ fallback: 0 }),
    stepsDone: integer({ from: 0, fallback: 0 }),
    state: custom<Optimizer>("an optimizer from createOptimizer", (value) => value instanceof Optimizer),
    signal: signal(),
  };
  const { optimizer, own, common: checked } = checkOptimizerOptions("train", rules, options);
  checkState(options);
  if (checked.data === undefined)
    throw new OptionError("train", "No data came. Give a text, documents or token ids as { data }.");
  const learningRate = checked.learningRate ?? model.tuning?.learningRate;
  if (learningRate === undefined) {
    throw new OptionError(
      "train",
      "No learning rate came, and no tuner chose one. Give { learningRate }, or call tune(model, …) first.",
    );
  }
  return { ...checked, data: checked.data, learningRate, optimizer, own };
}

/** An optimizer brings its own settings: others beside it would be ignored. */
function checkState({ state, stepsDone = 0, steps = Infinity, ...others }: TrainOptions): void {
  if (stepsDone > steps) {
    throw new OptionError(
      "train",
      `stepsDone is ${stepsDone}, steps is ${steps}. The first may not be above the second.`,
    );
  }
  if (state === undefined) return;
  const settings = [
    "optimizer",
    "weightDecay",
    "groups",
    ...Object.keys(optimizers[state.name as OptimizerName].rules),
  ];
  const twice = settings.filter((name) => name in others);
  if (twice.length === 0) return;
  throw new OptionError(
    "train",
    `${twice.join(", ")} came beside state. Give them to createOptimizer, which made the state.`,
  );
}
export type CheckedTrainOptions = ReturnType<typeof trainOptions>;
