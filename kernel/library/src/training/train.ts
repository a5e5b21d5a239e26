import { setImmediate } from "node:timers/promises";
import { InterruptedError, NumericsError, throwIfAborted, UnsupportedError } from "../errors.js";
import { events } from "../events.js";
import { encoderOf } from "../models/encoder.js";
import type { LanguageModel } from "../models/model.js";
import { backward } from "../tensor/autograd.js";
import { isInterrupted } from "../tensor/device.js";
import { globalNorm } from "../tensor/kernels.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { makeOptimizer, parameterGroups, type Optimizer } from "./optimizers/index.js";
import { trainOptions, type CheckedTrainOptions, type TrainOptions } from "./options.js";
import { readPolitely, Rows } from "./rows.js";
import { Run, type Outcome, type TrainingStep } from "./run.js";
import { learningRateAt } from "./schedule.js";

/**
 * Trains the numbers of a model that require gradients (see `tune`) on next-token cross-entropy, by AdamW or another optimizer. Loop over the
 * result to see each step, or await it to run to the end and get the `Run`; nothing happens before. Leaving the loop, the
 * stop button and `signal` all end it at a whole step: every update was either made in full or not at all.
 *
 * @throws {OptionError} · {UnsupportedError} if nothing trains · {NumericsError} if the loss stops being finite; the model is
 *   then as it was after the last good step · {InterruptedError} by the stop button or `signal`
 * @example
 * for await (const { step, loss } of train(tuned, { data, steps: 200, learningRate: 1e-2 })) console.log(step, loss);
 * const run = await train(tuned, { data, steps: 200 });   // shows its loss curve
 */
export function train(model: LanguageModel, options: TrainOptions): Training {
  return new Training(model, trainOptions(model, options));
}

let runs = 0;

/** A training that may be looped over, once, or awaited; awaiting after the loop gives the run as far as it came. */
export class Training implements AsyncIterable<TrainingStep>, PromiseLike<Run> {
  private readonly id = `run ${++runs}`;
  private readonly history: TrainingStep[] = [];
  private readonly parameters: ReadonlyMap<string, Tensor>;
  private readonly groups: ReturnType<typeof parameterGroups>;
  private rows: Rows | null = null;
  private started = 0;
  private ended = 0;
  private outcome: Outcome | null = null;

  constructor(
    private readonly model: LanguageModel,
    private readonly options: CheckedTrainOptions,
  ) {
    this.parameters = model.trainableParameters();
    if (this.parameters.size === 0) {
      throw new UnsupportedError(
        "train",
        `Nothing in "${model.name}" trains. Call tune(model, { method: "lora" }) or another tuner first.`,
      );
    }
    this.groups = parameterGroups("train", this.parameters, options);
    const { data, length, seed } = options;
    if (data instanceof Int32Array) this.rows = new Rows(data, { length, seed });
  }

  [Symbol.asyncIterator](): AsyncGenerator<TrainingStep, void, undefined> {
    if (this.started > 0) {
      throw new UnsupportedError("train", "This training was started already. Call train again to train on.");
    }
    this.started = performance.now();
    return this.run();
  }

  /** Runs to the end, unless a loop has begun already: then it gives the run so far. */
  then<A = Run, B = never>(
    fulfilled?: ((run: Run) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.finish().then(fulfilled, rejected);
  }

  private async finish(): Promise<Run> {
    if (this.started === 0) {
      const steps = this[Symbol.asyncIterator]();
      for (let { done } = await steps.next(); done !== true;) ({ done } = await steps.next());
    }
    const { model, options, parameters } = this;
    return new Run(
      this.id,
      model.tuning?.method ?? "train",
      [...parameters.values()].reduce((sum, { size }) => sum + size, 0),
      this.tokensPerStep,
      options.steps,
      this.outcome ?? "stopped",
      this.history,
      ((this.outcome === null ? performance.now() : this.ended) - this.started) / 1000,
    );
  }

  private get tokensPerStep(): number {
    const { batchSize, length, gradientAccumulation } = this.options;
    return batchSize * length * gradientAccumulation;
  }

  private async *run(): AsyncGenerator<TrainingStep, void, undefined> {
    const { id: run, model, options } = this;
    const { steps, stepsDone } = options;
    const optimizer = options.state ?? makeOptimizer(options, this.groups);
    let outcome: Outcome = "stopped";
    events.emit("training.start", { run, method: model.tuning?.method ?? "train", steps });
    try {
      const rows = (this.rows ??= await this.read());
      rows.skip(stepsDone * options.batchSize * options.gradientAccumulation);
      this.started = performance.now();
      for (let step = stepsDone + 1; step <= steps; step++) {
        await setImmediate();
        const done = this.step(step, optimizer, rows);
        this.history.push(done);
        events.emit("training.step", { run, ...done });
        yield done;
      }
      outcome = "finished";
    } catch (error) {
      if (!(error instanceof InterruptedError)) outcome = "failed";
      throw error;
    } finally {
      this.clearGradients();
      if (optimizer !== options.state) optimizer.dispose();
      this.outcome = outcome;
      this.ended = performance.now();
      events.emit("training.end", { run, steps: this.history.length, outcome });
    }
  }

  private async read(): Promise<Rows> {
    const { data, length, seed, steps, signal } = this.options;
    const enough = steps * this.tokensPerStep + 1;
    const report = (done: number, total: number) =>
      events.emit("progress", {
        id: `${this.id} data`,
        label: "reading the training data",
        done,
        total,
        unit: "tokens",
      });
    const progress = (tokens: number) => report(Math.min(tokens, enough - 1), enough);
    const { ids, weights } = await readPolitely(data, encoderOf(this.model), enough, { signal, progress });
    report(ids.length, ids.length);
    return new Rows(ids, { length, seed }, weights);
  }

  /** Gradients first; the update comes last and in one piece, so that a stop before it leaves the model as it was. */
  private step(step: number, optimizer: Optimizer, rows: Rows): TrainingStep {
    const started = performance.now();
    const { steps, clip, gradientAccumulation, signal } = this.options;
    this.clearGradients();
    let loss = 0;
    for (let pass = 0; pass < gradientAccumulation; pass++) loss += this.forwardBackward(rows) / gradientAccumulation;
    const gradients = [...this.parameters.values()].flatMap(({ grad }) => grad ?? []);
    const gradientNorm = globalNorm(gradients) / gradientAccumulation;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) throw this.notFinite(step, loss, gradientNorm);
    throwIfAborted("train", signal);
    if (isInterrupted()) throw new InterruptedError("train", `Stopped after ${step - 1} of ${steps} steps.`);
    const learningRate = learningRateAt(step, this.options);
    const shrink = clip > 0 && gradientNorm > clip ? clip / gradientNorm : 1;
    optimizer.update({ learningRate, gradientScale: shrink / gradientAccumulation });
    for (const [, { weight }] of this.model.linears()) weight.constrain?.();
    this.clearGradients();
    const tokensPerSecond = (1000 * this.tokensPerStep) / (performance.now() - started);
    return { step, steps, loss, learningRate, gradientNorm, tokensPerSecond };
  }

  private forwardBackward(rows: Rows): number {
    const { batchSize: batch, gradientCheckpointing } = this.options;
    const { inputs, targets, weights } = rows.next(batch);
    return scope(() => {
      const loss = this.model.loss({ tokens: inputs, targets, weights, batch }, { gradientCheckpointing });
      const value = loss.item();
      if (Number.isFinite(value)) backward(loss);
      return value;
    });
  }

  private notFinite(step: number, loss: number, gradientNorm: number): NumericsError {
    const what = Number.isFinite(loss)
      ? `The gradient's norm at step ${step} is ${gradientNorm}`
      : `The loss at step ${step} is ${loss}`;
    const { learningRate } = this.options;
    return new NumericsError(
      "train",
      `${what}. The model is as it was after step ${step - 1}. Lower the learning rate (it was ${learningRate}), add warmup, or clip harder.`,
      { step, loss, gradientNorm, learningRate },
    );
  }

  private clearGradients(): void {
    for (const tensor of this.parameters.values()) tensor.clearGrad();
  }
}
