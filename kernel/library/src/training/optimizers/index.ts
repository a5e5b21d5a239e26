import { OptionError } from "../../errors.js";
import { checkMethodOptions } from "../../methods.js";
import { matchesName } from "../../nn/select.js";
import { choice, checkOptions, custom, real, shown, type OptionRule } from "../../options.js";
import type { Tensor } from "../../tensor/tensor.js";
import { adamw } from "./adamw.js";
import { adamw8bit } from "./adamw8bit.js";
import { lion } from "./lion.js";
import { muon } from "./muon.js";
import { Optimizer, type Group, type OptimizerMethod } from "./optimizer.js";
import { sgd } from "./sgd.js";

export { Optimizer } from "./optimizer.js";

/** The only list of optimizers. */
export const optimizers = { adamw, adamw8bit, lion, muon, sgd } as const;
export type OptimizerName = keyof typeof optimizers;

/** Settings for the parameters whose dotted name fits a pattern, in place of the common ones. */
export interface ParameterGroup {
  /** Whole names or their last parts, `*` standing for any letters: "embed.*", "*Norm.weight". */
  readonly names: string | readonly string[];
  /** The learning rate at its highest; default: the common one. */
  readonly learningRate?: number;
  /** Default: the common one. */
  readonly weightDecay?: number;
}

type OptionsOf<M> = M extends OptimizerMethod<infer O> ? O : never;
/** An optimizer's name with its own options; AdamW where no name is given. */
export type OptimizerOptions =
  | ({ readonly optimizer?: "adamw" } & OptionsOf<typeof adamw>)
  | { [N in Exclude<OptimizerName, "adamw">]: { readonly optimizer: N } & OptionsOf<(typeof optimizers)[N]> }[Exclude<
      OptimizerName,
      "adamw"
    >];

/** What every optimizer takes. */
export const groupRules = {
  weightDecay: real({ from: 0, fallback: 0 }),
  groups: custom<readonly ParameterGroup[]>("an array of { names, learningRate?, weightDecay? }", Array.isArray, []),
};
export interface GroupOptions {
  /** How much a parameter shrinks by in a step of learning rate 1. Default 0. */
  readonly weightDecay?: number;
  /** Parameters with settings of their own. A name that fits two groups is an error. */
  readonly groups?: readonly ParameterGroup[];
}

type Rules = Readonly<Record<string, OptionRule<unknown>>>;

/** Splits options into the optimizer's own and the common ones, and checks both. @throws {OptionError} */
export function checkOptimizerOptions<C extends Rules>(op: string, common: C, given: object) {
  const { optimizer = "adamw", ...rest } = given as { optimizer?: unknown };
  const names = Object.keys(optimizers) as OptimizerName[];
  const { optimizer: method } = checkOptions(op, { optimizer }, { optimizer: choice(names, { fallback: "adamw" }) });
  const { own, common: checked } = checkMethodOptions(op, optimizers, common, { ...rest, method });
  return { optimizer: method as OptimizerName, own, common: checked };
}

/**
 * An optimizer for parameters by dotted name (see `Module.trainableParameters`). `train` makes its own; this is for loops
 * that you write yourself.
 *
 * @param options.learningRate what groups with a learning rate of their own are relative to; the one of each `update` scales
 *   all of them
 * @throws {OptionError}
 * @example
 * using optimizer = createOptimizer(model.trainableParameters(), { optimizer: "muon", weightDecay: 0.1 });
 * backward(model.loss(batch)); optimizer.update({ learningRate: 1e-3 });
 */
export function createOptimizer(
  parameters: ReadonlyMap<string, Tensor>,
  options: OptimizerOptions & GroupOptions & { readonly learningRate?: number } = {},
): Optimizer {
  const rules = { ...groupRules, learningRate: real({ from: 0 }) };
  const { optimizer, own, common } = checkOptimizerOptions("createOptimizer", rules, options);
  const groups = parameterGroups("createOptimizer", parameters, common);
  return makeOptimizer({ optimizer, own }, groups);
}

/** An optimizer from checked options. */
export function makeOptimizer(
  { optimizer, own }: { readonly optimizer: OptimizerName; readonly own: object },
  groups: readonly Group[],
): Optimizer {
  // The registry's entries differ in their options; `own` was checked against this entry's rules.
  return new Optimizer(optimizers[optimizer] as unknown as OptimizerMethod<object>, groups, own);
}

/** All parameters in groups with their settings. @throws {OptionError} for groups that fit nothing or overlap */
export function parameterGroups(
  op: string,
  parameters: ReadonlyMap<string, Tensor>,
  {
    groups,
    weightDecay,
    learningRate,
  }: {
    readonly groups: readonly ParameterGroup[];
    readonly weightDecay: number;
    readonly learningRate?: number | undefined;
  },
): Group[] {
  const rest = new Map(parameters);
  const result: Group[] = [];
  for (const group of groups) {
    const checked = checkGroup(op, group);
    const patterns = typeof checked.names === "string" ? [checked.names] : checked.names;
    const chosen = new Map<string, Tensor>();
    for (const pattern of patterns) {
      const fitting = [...parameters].filter(([name]) => matchesName(pattern, name));
      if (fitting.length === 0) throw nothingFits(op, pattern, parameters);
      for (const [name, tensor] of fitting) {
        if (!chosen.has(name) && !rest.delete(name)) {
          throw new OptionError(op, `"${name}" fits two groups. Each parameter belongs to one.`, { name });
        }
        chosen.set(name, tensor);
      }
    }
    result.push({
      parameters: chosen,
      weightDecay: checked.weightDecay ?? weightDecay,
      learningRateFactor: factor(op, checked.learningRate, learningRate),
    });
  }
  return [{ parameters: rest, weightDecay, learningRateFactor: 1 }, ...result];
}

function checkGroup(op: string, group: ParameterGroup) {
  const checked = checkOptions(`${op}: groups`, group, {
    names: custom<string | readonly string[]>(
      "a pattern or an array of patterns",
      (value) => typeof value === "string" || (Array.isArray(value) && value.every((name) => typeof name === "string")),
    ),
    learningRate: real({ from: 0 }),
    weightDecay: real({ from: 0 }),
  });
  if (checked.names === undefined) throw new OptionError(op, `A group has no names: ${shown(group)}.`);
  return { ...checked, names: checked.names };
}

function factor(op: string, own: number | undefined, common: number | undefined): number {
  if (own === undefined) return 1;
  if (common !== undefined && common > 0) return own / common;
  throw new OptionError(op, "A group has a learning rate of its own, but there is no common one. Give learningRate.");
}

function nothingFits(op: string, pattern: string, parameters: ReadonlyMap<string, Tensor>): OptionError {
  const examples = [...parameters.keys()].slice(0, 3).map((name) => JSON.stringify(name));
  return new OptionError(
    op,
    `The group ${JSON.stringify(pattern)} fits no parameter that trains. They are called ${examples.join(", ")}, ….`,
    { pattern },
  );
}
