import { randomUUID } from "node:crypto";
import type { Bundle } from "../jupyter/protocol.js";
import { progressBundle } from "./progress.js";

const PERIOD_MS = 100;
/** Before this an estimate of what is left would jump. */
const ESTIMATE_AFTER_MS = 500;

export interface ProgressOptions {
  readonly label?: string;
  /** How many there are, where the values themselves do not say. */
  readonly total?: number;
  /** What is counted: "files". */
  readonly unit?: string;
  /** False takes the bar away at its end. Default: true. */
  readonly keep?: boolean;
}

type Show = (bundle: Bundle, id: string, update: boolean) => void;

/** A bar below the cell, drawn in place at most ten times a second. */
export class ProgressBar {
  private readonly id = randomUUID();
  private readonly since = Date.now();
  private readonly options: Required<ProgressOptions>;
  private shownAt = 0;
  private isClosed = false;
  /** How many are done. */
  done = 0;

  constructor(
    private readonly show: Show,
    { label = "", total = 0, unit = "", keep = true }: ProgressOptions,
  ) {
    this.options = { label, total, unit, keep };
    this.draw(false);
  }

  /** Counts further ones as done. */
  advance(by = 1): void {
    this.set(this.done + by);
  }

  /** Says how many are done. */
  set(done: number): void {
    if (this.isClosed) return;
    this.done = done;
    if (Date.now() - this.shownAt >= PERIOD_MS) this.draw(true);
  }

  /** Draws the end, or takes the bar away. Closing twice is fine. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.options.keep) this.draw(true);
    else this.show({ "text/plain": "", "text/html": "" }, this.id, true);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private draw(update: boolean): void {
    this.shownAt = Date.now();
    const { label, total, unit } = this.options;
    this.show(progressBundle({ label, done: this.done, total, unit, note: this.note() }), this.id, update);
  }

  private note(): string {
    const { total } = this.options;
    const spent = Date.now() - this.since;
    if (this.isClosed) return total > 0 && this.done < total ? `stopped after ${time(spent)}` : time(spent);
    if (spent < ESTIMATE_AFTER_MS || this.done === 0) return "";
    const rate = `${((1000 * this.done) / spent).toPrecision(3)} a second`;
    return total > 0 ? `${rate}, ${time((spent / this.done) * (total - this.done))} left` : rate;
  }
}

/** A bar that follows an iteration, or, for a number, one that is moved by hand. */
export function progress(show: Show, what: unknown, given: string | ProgressOptions = {}): unknown {
  const options = typeof given === "string" ? { label: given } : given;
  if (typeof what === "number") return new ProgressBar(show, { total: what, ...options });
  const known = what as { length?: number; size?: number };
  const sized = { total: known.length ?? known.size ?? 0, ...options };
  if (isIn(Symbol.iterator, what)) return each(what as Iterable<unknown>, () => new ProgressBar(show, sized));
  if (isIn(Symbol.asyncIterator, what)) {
    return eachAsync(what as AsyncIterable<unknown>, () => new ProgressBar(show, sized));
  }
  throw new TypeError(`[progress] got ${typeof what}. Supported: a list or any iterable, async or not, or a number.`);
}

function* each(values: Iterable<unknown>, open: () => ProgressBar): Generator {
  const bar = open();
  try {
    for (const value of values) {
      yield value;
      bar.advance();
    }
  } finally {
    bar.close();
  }
}

async function* eachAsync(values: AsyncIterable<unknown>, open: () => ProgressBar): AsyncGenerator {
  const bar = open();
  try {
    for await (const value of values) {
      yield value;
      bar.advance();
    }
  } finally {
    bar.close();
  }
}

function isIn(key: symbol, value: unknown): boolean {
  return typeof value === "string" || (typeof value === "object" && value !== null && key in value);
}

function time(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
