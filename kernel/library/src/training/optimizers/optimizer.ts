import { DisposedError, FormatError } from "../../errors.js";
import type { OptionRule } from "../../options.js";
import type { DType, TypedArray } from "../../tensor/dtype.js";
import { keep } from "../../tensor/scope.js";
import { Tensor } from "../../tensor/tensor.js";

/** A parameter that moves, with its gradient and its states by name. */
export interface Entry {
  readonly tensor: Tensor;
  readonly grad: Tensor;
  readonly states: Readonly<Record<string, Tensor>>;
}

/** The numbers of one update, for one group of parameters. */
export interface Update {
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Multiplies every gradient: clipping, averaging. */
  readonly gradientScale: number;
  /** From 1. */
  readonly step: number;
}

export interface StateShape {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** How parameters move. `O` are the method's own options. */
export interface OptimizerMethod<O extends object> {
  readonly name: string;
  /** One rule per option, each with its default. */
  readonly rules: { readonly [K in keyof O]-?: OptionRule<NonNullable<O[K]>> };
  /** What it remembers of a parameter; all zeros before the first step. */
  readonly states: (name: string, parameter: Tensor, options: Required<O>) => Readonly<Record<string, StateShape>>;
  /** Moves all of them in one native call, or one for each kind of state. */
  readonly move: (entries: readonly Entry[], update: Update, options: Required<O>) => void;
}

/** Ties an optimizer's options, rules and algorithm together, so that a forgotten rule does not compile. */
export function defineOptimizer<O extends object>(definition: OptimizerMethod<O>): OptimizerMethod<O> {
  return definition;
}

/** Parameters that share settings. */
export interface Group {
  /** By dotted name. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Multiplies the learning rate of an update. */
  readonly learningRateFactor: number;
  readonly weightDecay: number;
}

/**
 * An optimizer at work on some parameters. Its states are tensors of the category "optimizer", belong to it, and can be
 * saved and restored: a training goes on as if it had never stopped.
 *
 * @example
 * const optimizer = createOptimizer(model.trainableParameters(), { optimizer: "lion" });
 * backward(loss); optimizer.update({ learningRate: 1e-4 });
 * await writeSafetensors("optimizer.safetensors", [...optimizer.namedTensors()]);
 */
export class Optimizer<O extends object = object> {
  /** Updates so far. */
  step = 0;
  private readonly states = new Map<string, Readonly<Record<string, Tensor>>>();
  private gone = false;

  constructor(
    private readonly method: OptimizerMethod<O>,
    private readonly groups: readonly Group[],
    private readonly options: Required<O>,
  ) {
    for (const [name, tensor] of this.parameters()) {
      const shapes = Object.entries(method.states(name, tensor, options));
      const { device } = tensor;
      const make = ({ shape, dtype }: StateShape) =>
        keep(Tensor.zeros(shape, { dtype, category: "optimizer", owner: name, device }));
      this.states.set(name, Object.fromEntries(shapes.map(([state, shape]) => [state, make(shape)])));
    }
  }

  get name(): string {
    return this.method.name;
  }

  /**
   * One step for every parameter that has a gradient; the others stay as they are.
   *
   * @param update.gradientScale multiplies every gradient; default 1
   * @throws {OptionError} for a learning rate that is negative or not finite; nothing has moved then · {DisposedError}
   */
  update({ learningRate, gradientScale = 1 }: { learningRate: number; gradientScale?: number }): void {
    if (this.gone) throw new DisposedError("optimizer", "The optimizer was disposed of. Make another one.");
    const step = this.step + 1;
    for (const { parameters, learningRateFactor, weightDecay } of this.groups) {
      const entries = [...parameters].flatMap(([name, tensor]) =>
        tensor.grad === null ? [] : [{ tensor, grad: tensor.grad, states: this.states.get(name)! }],
      );
      if (entries.length === 0) continue;
      const update = { learningRate: learningRate * learningRateFactor, weightDecay, gradientScale, step };
      this.method.move(entries, update, this.options);
    }
    this.step = step;
  }

  /** Every state, as `parameter.state`. */
  *namedTensors(): Generator<[string, Tensor]> {
    for (const [name, states] of this.states)
      for (const [state, tensor] of Object.entries(states)) yield [`${name}.${state}`, tensor];
  }

  /**
   * Takes over states that `namedTensors` gave, after `step` updates.
   *
   * @throws {FormatError} if one is missing or of another size; nothing has changed then
   */
  restore(step: number, saved: ReadonlyMap<string, TypedArray>): void {
    const own = [...this.namedTensors()];
    for (const [name, { size }] of own) {
      const found = saved.get(name)?.length;
      if (found === size) continue;
      const came = found === undefined ? "is missing" : `has ${found} numbers`;
      throw new FormatError("optimizer", `The state "${name}" ${came}. Expected ${size} numbers.`, { name });
    }
    for (const [name, tensor] of own) tensor.write(saved.get(name)!);
    this.step = step;
  }

  dispose(): void {
    this.gone = true;
    for (const [, tensor] of this.namedTensors()) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  private *parameters(): Generator<[string, Tensor]> {
    for (const { parameters } of this.groups) yield* parameters;
  }
}
