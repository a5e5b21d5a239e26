import { display, formatCount, inspect, tableBundle, type Displayable, type MimeBundle } from "../display.js";
import type { Linear } from "../nn/linear.js";
import type { OptionRule } from "../options.js";
import type { Tensor } from "../tensor/tensor.js";

/** What a tuner works on: a frozen model's chosen layers, and everything else that could train. */
export interface TunerTarget {
  readonly layers: readonly (readonly [string, Linear])[];
  readonly parameters: () => Iterable<[string, Tensor]>;
}

/** Which numbers train. `O` are the method's own options. */
export interface Tuner<O extends object> {
  readonly name: string;
  /** One rule per option, each with its default; `undefined` where the default depends on other options. */
  readonly rules: { readonly [K in keyof O]-?: OptionRule<NonNullable<O[K]>> };
  /** False where the method itself says which numbers train. Default true. */
  readonly takesTargets?: false;
  /** What the optimizer's first step should be about, unless `train` is told otherwise. */
  readonly learningRate: (options: O) => number;
  /** One line for people. */
  readonly describe: (options: O) => string;
  /** Refuses what the tuner cannot work on, before anything is changed. @throws {UnsupportedError} */
  readonly check: (target: TunerTarget, options: O) => void;
  /** Adds trainable numbers in place and turns on their `requiresGrad`. */
  readonly attach: (target: TunerTarget, options: O) => void;
}

/** Ties a tuner's options, rules and algorithm together, so that a forgotten rule does not compile. */
export function defineTuner<O extends object>(definition: Tuner<O>): Tuner<O> {
  return definition;
}

/** What `tune` made trainable; shows itself as a table. */
export class Tuning implements Displayable {
  constructor(
    /** The tuner's name. */
    readonly method: string,
    readonly description: string,
    /** The learning rate that `train` takes unless told otherwise. */
    readonly learningRate: number,
    /** Count of numbers by the parameter's dotted name. */
    readonly trainable: ReadonlyMap<string, number>,
  ) {}

  /** How many numbers train. */
  get count(): number {
    return [...this.trainable.values()].reduce((sum, size) => sum + size, 0);
  }

  toString(): string {
    return `${this.method}: ${this.description}; ${formatCount(this.count)} numbers train, learning rate ${this.learningRate} unless told otherwise`;
  }
  [display](): MimeBundle {
    return tableBundle({
      title: this.toString(),
      columns: ["parameter", "numbers"],
      rows: [...this.trainable].map(([name, size]) => [name, size]),
    });
  }
  [inspect](): string {
    return this[display]()["text/plain"];
  }
}
