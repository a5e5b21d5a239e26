import type { TrainingUpdate } from "@nibble-lab/messages";
import type { LibraryEvents } from "nibble-lab/events";
import type { Content } from "../jupyter/protocol.js";
import type { Bridge, Push } from "./bridge.js";

const PERIOD_MS = 250;
/** A newcomer gets at most this many points of the run so far. */
const KEPT_POINTS = 2000;

type Point = TrainingUpdate["points"][number];

interface Run {
  readonly run: string;
  readonly method: string;
  readonly steps: number;
  readonly points: Point[];
  /** How many of the points were pushed. */
  sent: number;
  done: boolean;
}

/** Hands training steps on, at most four times a second; keeps the latest run for a panel that opens later. */
export class TrainingBridge implements Bridge {
  private run: Run | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly push: Push) {}

  listeners(): void {}

  welcome(push: Push): void {
    if (this.run !== null) push(update(this.run, thinned(this.run.points.slice(0, this.run.sent))));
  }

  event(name: string, data: Content): void {
    if (name === "training.start") {
      const { run, method, steps } = data as LibraryEvents["training.start"];
      this.flush();
      this.run = { run, method, steps, points: [], sent: 0, done: false };
      this.flush();
    } else if (name === "training.step") {
      const { run, step, loss, learningRate, gradientNorm, tokensPerSecond } = data as LibraryEvents["training.step"];
      if (this.run?.run !== run) return;
      this.run.points.push({ step, loss, learningRate, gradientNorm, tokensPerSecond });
      this.timer ??= setTimeout(() => this.flush(), PERIOD_MS);
    } else if (name === "training.end") {
      if (this.run === null || this.run.run !== data["run"]) return;
      this.run.done = true;
      this.flush();
    }
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private flush(): void {
    this.dispose();
    if (this.run === null) return;
    const fresh = this.run.points.slice(this.run.sent);
    this.run.sent = this.run.points.length;
    this.push(update(this.run, fresh));
  }
}

function update(run: Run, points: readonly Point[]): TrainingUpdate {
  return { kind: "training.update", run: run.run, method: run.method, steps: run.steps, points, done: run.done };
}

/** Every n-th point, and always the last. */
function thinned(points: readonly Point[]): Point[] {
  const stride = Math.ceil(points.length / KEPT_POINTS);
  return points.filter((_, index) => index % stride === 0 || index === points.length - 1);
}
