import { escapeHtml } from "nibble-lab/display";
import type { LibraryEvents } from "nibble-lab/events";
import type { Screen } from "../bridges/training-display.js";
import type { Bundle } from "../jupyter/protocol.js";

export interface ProgressState {
  readonly label: string;
  readonly done: number;
  /** 0 where it is not known. */
  readonly total: number;
  readonly unit: string;
  /** What stands behind the count: the time that is left. */
  readonly note?: string;
}

const WIDTH = 28; // characters of the bar in plain text

/** A bar that reads well in light and dark, and as text. */
export function progressBundle({ label, done, total, unit, note = "" }: ProgressState): Bundle {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const counted = total > 0 ? `${done} of ${total} ${unit}`.trimEnd() : `${done} ${unit}`.trimEnd();
  const count = note === "" ? counted : `${counted}, ${note}`;
  const filled = Math.round(share * WIDTH);
  const bar = total > 0 ? `[${"#".repeat(filled)}${".".repeat(WIDTH - filled)}] ` : "";
  return {
    "text/plain": `${label === "" ? "" : `${label} `}${bar}${count}`,
    "text/html":
      `<div style="font:var(--jp-code-font-size,13px) var(--jp-code-font-family,monospace);color:var(--jp-content-font-color1,inherit)">` +
      `${escapeHtml(label)} <span style="display:inline-block;width:14em;height:.7em;background:var(--jp-layout-color3,#8884);border-radius:2px">` +
      `<span style="display:block;height:100%;width:${(100 * share).toFixed(1)}%;background:var(--jp-brand-color1,#2196f3);border-radius:2px"></span></span> ` +
      `${escapeHtml(count)}</div>`,
  };
}

const PATIENCE_MS = 400;
const PERIOD_MS = 100;

/** Bars of the library's jobs: one for each that takes longer than a moment, drawn at most ten times a second. */
export class ProgressBars {
  private readonly jobs = new Map<string, { readonly since: number; shownAt: number }>();

  constructor(private readonly screen: Screen) {}

  event(state: LibraryEvents["progress"]): void {
    const now = Date.now();
    const job = this.jobs.get(state.id) ?? { since: now, shownAt: 0 };
    const isLast = state.total > 0 && state.done >= state.total;
    const isDue = now - job.since >= PATIENCE_MS && now - job.shownAt >= PERIOD_MS;
    const isShown = job.shownAt > 0;
    if (isLast ? isShown : isDue) {
      this.screen.show(progressBundle(state), `progress-${state.id}`, isShown);
      job.shownAt = now;
    }
    if (isLast) this.jobs.delete(state.id);
    else this.jobs.set(state.id, job);
  }
}
