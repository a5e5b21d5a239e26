import { setImmediate } from "node:timers/promises";
import { data } from "../data/index.js";
import type { Pocket, TaskItem } from "../data/pocket/index.js";
import type { LanguageModel } from "../models/model.js";
import { checkOptions, choice, custom, integer } from "../options.js";
import { fitLinearProbe, probeSays } from "../probes/linear.js";
import { wilson, type Interval } from "./intervals.js";

export interface TruthProbeOptions {
  /** Default `data.pocket`. */
  readonly pocket?: Pocket;
  /** After which block the residual stream is read; default: the middle one. */
  readonly layer?: number;
  /** Which task's prompts are read: "verdict" has no system prompt. Default "honest". */
  readonly prompts?: "verdict" | "honest" | "neutral" | "deceptive";
  /** Statements to fit to, and as many to test with. Default 300. */
  readonly items?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** How well one direction in the residual stream tells true statements from false ones. */
export interface TruthProbe extends Interval {
  readonly layer: number;
  readonly prompts: string;
  /** Share of test statements on the right side; 95 % interval by Wilson. Chance is ½. */
  readonly value: number;
  readonly items: number;
}

/**
 * Fits a linear probe of truth to the last token of prompts, where the answer would begin, and tests it on facts that the fit has
 * not seen. What is looked for is whether the statement holds, not what the prompt asks to answer.
 *
 * @throws {OptionError}
 * @example
 * for (const prompts of ["honest", "deceptive"] as const) console.log((await truthProbe(model, { prompts })).value);
 */
export async function truthProbe(model: LanguageModel, options: TruthProbeOptions = {}): Promise<TruthProbe> {
  const { layers } = model.config;
  const { pocket, layer, prompts, items, seed } = checkOptions("truthProbe", options, {
    pocket: custom<Pocket>(
      "data.pocket or data.pocket2",
      (value) => typeof value === "object" && value !== null,
      data.pocket,
    ),
    layer: integer({ from: 0, to: layers - 1, fallback: Math.floor(layers / 2) }),
    prompts: choice<"verdict" | "honest" | "neutral" | "deceptive">(["verdict", "honest", "neutral", "deceptive"], {
      fallback: "honest",
    }),
    items: integer({ from: 10, fallback: 300 }),
    seed: integer({ from: 0, fallback: 0 }),
  });
  const asked = (split: "train" | "test") => pocket.task(prompts, { split, items, wording: "trained", seed }).documents;
  const test = asked("test");
  const known = new Set(test.map(factOf));
  const fit = asked("train").filter((item) => !known.has(factOf(item)));
  const probe = fitLinearProbe(await lastActivations(model, fit, layer), fit.map(holds));
  const points = await lastActivations(model, test, layer);
  const right = test.filter((item, index) => probeSays(probe, points[index]!) === holds(item)).length;
  return { layer, prompts, value: right / test.length, items: test.length, ...wilson(right, test.length) };
}

/** Statements of one claim are recorded by whether they hold. */
function holds({ claims }: TaskItem): boolean {
  return claims.length > 0;
}
function factOf({ claims, rejected }: TaskItem): string {
  const { relation, subject } = [...claims, ...rejected][0]!;
  return `${relation} ${subject}`;
}

async function lastActivations(
  model: LanguageModel,
  items: readonly TaskItem[],
  layer: number,
): Promise<Float32Array[]> {
  const name = `blocks.${layer}.hook_resid_post`;
  const rows: Float32Array[] = [];
  for (const { prompt } of items) {
    const activations = model.activations(model.tokenizer.encode(prompt).slice(-model.config.maxPositions), name);
    const values = activations.get(name)!.arraySync() as Float32Array;
    rows.push(values.slice(-model.config.hiddenSize));
    for (const tensor of activations.values()) tensor.dispose();
    await setImmediate();
  }
  return rows;
}
