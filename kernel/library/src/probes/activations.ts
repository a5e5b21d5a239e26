import { setImmediate } from "node:timers/promises";
import { InterruptedError, OptionError, throwIfAborted } from "../errors.js";
import { events } from "../events.js";
import { expandHooks } from "../models/hooks.js";
import type { LanguageModel } from "../models/model.js";
import { Random } from "../random.js";
import { isInterrupted } from "../tensor/device.js";
import { concatRows, view } from "../tensor/kernels.js";
import { gatherRows } from "../tensor/ops.js";
import { keep, noGrad, scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** A text, or anything that has one. */
export type Prompt = string | { readonly text: string };

/** Which tokens of which prompts are looked at. */
export interface PointSelection {
  readonly prompts: readonly string[];
  /** Token ids of each prompt. */
  readonly ids: readonly (readonly number[])[];
  /** Index into `prompts`, by point. */
  readonly promptOf: readonly number[];
  /** Position within its prompt, by point. */
  readonly positions: readonly number[];
  /** What each point's token looks like. */
  readonly tokens: readonly string[];
  /** Points before sampling. */
  readonly from: number;
  readonly method: string;
  readonly seed: number;
}

/**
 * Tokens of prompts to collect activations at: all but BOS, or a seeded uniform sample of `maxPoints` of them in their order.
 *
 * @throws {OptionError} if there is none
 */
export function selectPoints(
  op: string,
  model: LanguageModel,
  prompts: Iterable<Prompt>,
  { maxPoints, seed }: { readonly maxPoints: number; readonly seed: number },
): PointSelection {
  const texts = Array.from(prompts, (prompt) => (typeof prompt === "string" ? prompt : prompt.text));
  const { tokenizer } = model;
  const ids = texts.map((text) => tokenizer.encode(text));
  const all = ids.flatMap((row, prompt) =>
    row.flatMap((id, position) => (id === tokenizer.bosToken && position === 0 ? [] : [{ prompt, position, id }])),
  );
  if (all.length === 0)
    throw new OptionError(op, "The prompts have no tokens. Give at least one text that is not empty.");
  const chosen = all.length <= maxPoints ? all : sample(all, maxPoints, seed);
  return {
    prompts: texts,
    ids,
    promptOf: chosen.map(({ prompt }) => prompt),
    positions: chosen.map(({ position }) => position),
    tokens: chosen.map(({ id }) => tokenizer.decode([id], { special: true })),
    from: all.length,
    method: all.length <= maxPoints ? "all tokens but BOS" : "uniform over all tokens but BOS",
    seed,
  };
}

function sample<T>(all: readonly T[], count: number, seed: number): T[] {
  const order = new Random(seed).shuffle(Array.from(all, (_, i) => i)).slice(0, count);
  return order.sort((a, b) => a - b).map((i) => all[i]!);
}

/**
 * Activations of a model at chosen tokens, one tensor [points, hidden] per hook point; the caller disposes.
 *
 * @param hook a hook name; `{i}` stands for every layer
 * @throws {OptionError} for an unknown hook · {InterruptedError}
 */
export async function collectActivations(
  op: string,
  model: LanguageModel,
  points: PointSelection,
  hook: string,
  signal?: AbortSignal,
): Promise<Map<string, Tensor>> {
  const names = expandHooks(op, [hook], model.config.layers);
  const parts = new Map<string, Tensor[]>(names.map((name) => [name, []]));
  const byPrompt = groupPositions(points);
  let done = 0;
  try {
    for (const [prompt, positions] of byPrompt) {
      throwIfAborted(op, signal);
      if (isInterrupted()) throw new InterruptedError(op, "Stopped.");
      for (const [name, rows] of rowsAt(model, points.ids[prompt]!, positions, names)) parts.get(name)!.push(rows);
      const label = `activations of ${model.name}`;
      events.emit("progress", {
        id: `${op} ${model.label}`,
        label,
        done: ++done,
        total: byPrompt.size,
        unit: "prompts",
      });
      await setImmediate();
    }
    return new Map([...parts].map(([name, rows]) => [name, keep(concatRows(rows)).label("activations", op)]));
  } finally {
    for (const rows of parts.values()) for (const part of rows) part.dispose();
  }
}

function groupPositions({ promptOf, positions }: PointSelection): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  promptOf.forEach((prompt, i) => {
    const group = groups.get(prompt);
    if (group === undefined) groups.set(prompt, [positions[i]!]);
    else group.push(positions[i]!);
  });
  return groups;
}

function rowsAt(
  model: LanguageModel,
  ids: readonly number[],
  positions: readonly number[],
  names: readonly string[],
): Map<string, Tensor> {
  return noGrad(() =>
    scope(() => {
      const rows = Tensor.from(Int32Array.from(positions));
      const activations = model.activations(ids, names);
      const flat = (x: Tensor) => view(x, [ids.length, x.shape.at(-1)!]);
      return keep(new Map([...activations].map(([name, x]) => [name, gatherRows(flat(x), rows)])));
    }),
  );
}
