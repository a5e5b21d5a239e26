import {
  display,
  formatCount,
  inspect,
  lineChartSvg,
  tableHtml,
  type Displayable,
  type MimeBundle,
} from "../display.js";

/** One step of a training. */
export interface TrainingStep {
  /** 1 … steps */
  readonly step: number;
  readonly steps: number;
  /** Mean cross-entropy of the step's tokens before its update, in nats. */
  readonly loss: number;
  readonly learningRate: number;
  /** Norm of all gradients together, before clipping. */
  readonly gradientNorm: number;
  readonly tokensPerSecond: number;
}

export type Outcome = "finished" | "stopped" | "failed";

const SMOOTHING = 0.05; // the share of the steps that the smoothed curve averages over

/** What a training did; shows its loss curve. */
export class Run implements Displayable {
  /** Every step that was made. */
  readonly history: readonly TrainingStep[];

  constructor(
    /** The run's name in events and panels. */
    readonly id: string,
    readonly method: string,
    /** How many numbers train. */
    readonly trainable: number,
    /** Tokens of one step. */
    readonly tokensPerStep: number,
    /** Steps that were asked for. */
    readonly steps: number,
    readonly outcome: Outcome,
    history: readonly TrainingStep[],
    readonly seconds: number,
  ) {
    this.history = [...history];
  }

  get losses(): number[] {
    return this.history.map(({ loss }) => loss);
  }
  get tokens(): number {
    return this.history.length * this.tokensPerStep;
  }

  toString(): string {
    const { history, losses } = this;
    const made = `${this.method}: ${this.outcome} after ${history.length} of ${this.steps} steps`;
    if (losses.length === 0) return made;
    const ends = `loss ${losses[0]!.toFixed(3)} → ${losses.at(-1)!.toFixed(3)}`;
    const speed = `${formatCount(Math.round(this.tokens / this.seconds))} tokens/s`;
    return `${made}, ${ends}; ${formatCount(this.trainable)} numbers trained on ${formatCount(this.tokens)} tokens in ${this.seconds.toFixed(1)} s, ${speed}`;
  }

  [display](): MimeBundle {
    if (this.history.length === 0) return { "text/plain": this.toString() };
    const text = `${this.toString()}\n${sparkline(this.losses)}`;
    const last = this.history.at(-1)!;
    const table = tableHtml({
      columns: ["step", "loss", "learning rate", "gradient norm", "tokens/s"],
      rows: [
        [
          last.step,
          last.loss.toFixed(4),
          last.learningRate.toPrecision(3),
          last.gradientNorm.toPrecision(3),
          Math.round(last.tokensPerSecond),
        ],
      ],
      note: this.toString(),
    });
    return { "text/plain": text, "text/html": `<div>${this.curve()}${table}</div>`, "image/svg+xml": this.curve() };
  }
  [inspect](): string {
    return this[display]()["text/plain"];
  }

  /** Loss against step, and its running mean. */
  private curve(): string {
    const x = this.history.map(({ step }) => step);
    const lines = [{ label: "loss", x, y: this.losses }];
    const window = Math.round(this.history.length * SMOOTHING);
    if (window > 1) lines.push({ label: `mean of ${window} steps`, x, y: runningMean(this.losses, window) });
    return lineChartSvg({ title: `${this.method}: loss`, xLabel: "step", yLabel: "loss (nats)", lines });
  }
}

function runningMean(values: readonly number[], window: number): number[] {
  let sum = 0;
  return values.map((value, i) => {
    sum += value - (i >= window ? values[i - window]! : 0);
    return sum / Math.min(window, i + 1);
  });
}

const BARS = "▁▂▃▄▅▆▇█";
const SPARKLINE_WIDTH = 48;

/** A curve in one line of text. */
function sparkline(values: readonly number[]): string {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const width = Math.min(SPARKLINE_WIDTH, values.length);
  const edge = (column: number) => Math.floor((column * values.length) / width);
  return Array.from({ length: width }, (_, column) => {
    const part = values.slice(edge(column), edge(column + 1));
    const mean = part.reduce((sum, value) => sum + value, 0) / part.length;
    return BARS[Math.min(BARS.length - 1, Math.floor(((mean - low) / span) * BARS.length))]!;
  }).join("");
}
