import type { Bundle } from "../jupyter/protocol.js";
import { escapeHtml } from "nibble-lab/display";

export interface ProgressState {
  readonly label: string;
  readonly done: number;
  /** 0 where it is not known. */
  readonly total: number;
  readonly unit: string;
}

const WIDTH = 28; // characters of the bar in plain text

/** A bar that reads well in light and dark, and as text. */
export function progressBundle({ label, done, total, unit }: ProgressState): Bundle {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const count = total > 0 ? `${done} of ${total} ${unit}`.trimEnd() : `${done} ${unit}`.trimEnd();
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
