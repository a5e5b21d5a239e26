import type { LibraryEvents } from "nibble-lab/events";
import type { Bundle } from "../jupyter/protocol.js";
import { escapeHtml } from "../executor/table.js";

const PERIOD_MS = 100;
const WIDTH = 480;
const HEIGHT = 140;
const MARGIN = { left: 44, right: 8, top: 8, bottom: 20 };
/** Corners of the curve: more than pixels help nobody. */
const MOST_POINTS = 400;

type TrainingEvent = "training.start" | "training.step" | "training.end";
type Step = LibraryEvents["training.step"];

/** Where the display goes. */
export interface Screen {
  show(bundle: Bundle, id: string, update: boolean): void;
}

interface Run {
  readonly id: string;
  readonly method: string;
  readonly steps: number;
  readonly losses: { step: number; loss: number }[];
  latest: Step | null;
  outcome: string;
  shownAt: number;
}

/** One line and a loss curve in the cell that trains, at most ten times a second, and always how it ended. */
export class TrainingDisplay {
  private readonly runs = new Map<string, Run>();

  constructor(private readonly screen: Screen) {}

  event<N extends TrainingEvent>(name: N, event: LibraryEvents[N]): void {
    if (name === "training.start") {
      const { run, method, steps } = event as LibraryEvents["training.start"];
      const started: Run = { id: `training-${run}`, method, steps, losses: [], latest: null, outcome: "", shownAt: 0 };
      this.runs.set(run, started);
      return this.show(started, false);
    }
    const run = this.runs.get(event.run);
    if (run === undefined) return;
    if (name === "training.step") {
      run.latest = event as Step;
      run.losses.push({ step: run.latest.step, loss: run.latest.loss });
      if (Date.now() - run.shownAt >= PERIOD_MS) this.show(run, true);
    } else {
      run.outcome = (event as LibraryEvents["training.end"]).outcome;
      this.show(run, true);
      this.runs.delete(event.run);
    }
  }

  private show(run: Run, update: boolean): void {
    run.shownAt = Date.now();
    const line = statusLine(run);
    const curve = run.losses.length > 1 ? lossCurve(run.losses, run.steps) : "";
    const html =
      `<div style="color:var(--jp-content-font-color1,inherit);font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,13px)">` +
      `${escapeHtml(line)}${curve}</div>`;
    this.screen.show({ "text/plain": line, "text/html": html }, run.id, update);
  }
}

function statusLine({ method, steps, latest, outcome }: Run): string {
  if (latest === null) return `${method}: ${outcome === "" ? "starting" : outcome}, ${steps} steps`;
  const numbers = `loss ${latest.loss.toFixed(4)}, ${Math.round(latest.tokensPerSecond)} tokens/s, learning rate ${latest.learningRate.toPrecision(3)}`;
  return `${method}: ${outcome === "" ? "" : `${outcome}, `}step ${latest.step} of ${steps}, ${numbers}`;
}

function lossCurve(losses: readonly { step: number; loss: number }[], steps: number): string {
  const stride = Math.ceil(losses.length / MOST_POINTS);
  const points = losses.filter(
    ({ loss }, index) => Number.isFinite(loss) && (index % stride === 0 || index === losses.length - 1),
  );
  if (points.length < 2) return "";
  const lows = Math.min(...points.map((point) => point.loss));
  const highs = Math.max(...points.map((point) => point.loss));
  const range = highs > lows ? highs - lows : 1;
  const last = Math.max(steps, points.at(-1)!.step, 1);
  const x = (step: number) => MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * step) / last;
  const y = (loss: number) => MARGIN.top + ((HEIGHT - MARGIN.top - MARGIN.bottom) * (highs - loss)) / range;
  const path = points
    .map(({ step, loss }, index) => `${index === 0 ? "M" : "L"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`)
    .join("");
  const label = (at: string, text: string) => `<text ${at} font-size="11" fill="currentColor">${text}</text>`;
  const base = HEIGHT - MARGIN.bottom;
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" style="display:block;max-width:100%" role="img" aria-label="training loss">` +
    `<path d="M${MARGIN.left} ${MARGIN.top}V${base}H${WIDTH - MARGIN.right}" fill="none" stroke="currentColor" stroke-opacity=".4"/>` +
    `<path d="${path}" fill="none" stroke="var(--jp-brand-color1,#2196f3)" stroke-width="1.6"/>` +
    label(`x="${MARGIN.left - 4}" y="${MARGIN.top + 8}" text-anchor="end"`, highs.toPrecision(3)) +
    label(`x="${MARGIN.left - 4}" y="${base}" text-anchor="end"`, lows.toPrecision(3)) +
    label(`x="${WIDTH - MARGIN.right}" y="${HEIGHT - 6}" text-anchor="end"`, `step ${last}`) +
    `</svg>`
  );
}
