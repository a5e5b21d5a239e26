import type { LibraryEvents } from "nibble-lab/events";
import type { Bundle } from "../jupyter/protocol.js";
import { escapeHtml, lineChartSvg } from "nibble-lab/display";

const PERIOD_MS = 100;
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
    const curve = lossCurve(run);
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

/** Spans the steps that are planned; those that were made, once it has ended. */
function lossCurve({ method, steps, losses, outcome }: Run): string {
  const stride = Math.ceil(losses.length / MOST_POINTS);
  const shown = losses.filter((_, index) => index % stride === 0 || index === losses.length - 1);
  if (shown.length < 2) return "";
  const line = { label: "loss", x: shown.map(({ step }) => step), y: shown.map(({ loss }) => loss) };
  const span = outcome === "" ? { xMax: steps } : {};
  return lineChartSvg({ title: `${method}: loss`, xLabel: "step", yLabel: "loss (nats)", lines: [line], ...span });
}
