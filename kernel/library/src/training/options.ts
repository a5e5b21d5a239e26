import { isTokenSource, type TokenSource } from "../data/tokens.js";
import { OptionError } from "../errors.js";
import type { LanguageModel } from "../models/model.js";
import { checkOptions, choice, custom, integer, real, signal } from "../options.js";
import { schedules, type ScheduleName } from "./schedule.js";

export interface TrainOptions {
  /** A text, documents, or token ids. Only as many documents are read as the steps need. */
  readonly data: TokenSource;
  /** Updates of the weights. Default 100. */
  readonly steps?: number;
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
  /** AdamW. Defaults 0.9, 0.999, 1e-8, 0. */
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
  /** Of the order of the rows. Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_LENGTH = 128;
const decay = (fallback: number) =>
  custom<number>(
    "a number from 0 to below 1",
    (value) => typeof value === "number" && value >= 0 && value < 1,
    fallback,
  );

/** The checked options of `train`. @throws {OptionError} */
export function trainOptions(model: LanguageModel, options: TrainOptions) {
  const positions = model.config.maxPositions;
  const checked = checkOptions("train", options, {
    data: custom<TokenSource>("a text, an iterable of texts, or an Int32Array of token ids", isTokenSource),
    steps: integer({ from: 1, fallback: 100 }),
    learningRate: real({ from: 0 }),
    batchSize: integer({ from: 1, fallback: 8 }),
    length: integer({ from: 1, to: positions, fallback: Math.min(DEFAULT_LENGTH, positions) }),
    gradientAccumulation: integer({ from: 1, fallback: 1 }),
    schedule: choice<ScheduleName>(Object.keys(schedules) as ScheduleName[], { fallback: "cosine" }),
    warmup: integer({ from: 0, fallback: 0 }),
    clip: real({ from: 0, fallback: 1 }),
    beta1: decay(0.9),
    beta2: decay(0.999),
    epsilon: real({ from: 0, fallback: 1e-8 }),
    weightDecay: real({ from: 0, fallback: 0 }),
    seed: integer({ fallback: 0 }),
    signal: signal(),
  });
  if (checked.data === undefined)
    throw new OptionError("train", "No data came. Give a text, documents or token ids as { data }.");
  const learningRate = checked.learningRate ?? model.tuning?.learningRate;
  if (learningRate === undefined) {
    throw new OptionError(
      "train",
      "No learning rate came, and no tuner chose one. Give { learningRate }, or call tune(model, …) first.",
    );
  }
  return { ...checked, data: checked.data, learningRate };
}
export type CheckedTrainOptions = ReturnType<typeof trainOptions>;
