// Only ever reached through import(): with this file Plotly is one chunk, fetched when the first plot is drawn.
import Plotly, { type PlotEvent, type PlotNode } from "plotly.js/lib/core";
import bar from "plotly.js/lib/bar";
import box from "plotly.js/lib/box";
import heatmap from "plotly.js/lib/heatmap";
import histogram from "plotly.js/lib/histogram";
import scattergl from "plotly.js/lib/scattergl";
import violin from "plotly.js/lib/violin";

Plotly.register([bar, box, heatmap, histogram, scattergl, violin]);

/** Trace types in the chunk; "scatter" is part of Plotly's core. */
export const TRACE_TYPES: readonly string[] = ["bar", "box", "heatmap", "histogram", "scatter", "scattergl", "violin"];

export interface Figure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>>;
}

/** Nothing leaves the page: Plotly would offer to upload the figure to its own service. */
const CONFIG = { displaylogo: false, showSendToCloud: false, showEditInChartStudio: false, responsive: false };

/** Draw a figure into a node, or change what is drawn there. */
export async function draw(node: HTMLElement, { data, layout }: Figure, config: object = {}): Promise<void> {
  await Plotly.react(node, data, layout, { ...config, ...CONFIG });
}

/** Call back with the number of the point under the pointer, null when it leaves. */
export function onHover(node: HTMLElement, callback: (point: number | null) => void): void {
  const plot = node as PlotNode;
  plot.removeAllListeners("plotly_hover");
  plot.removeAllListeners("plotly_unhover");
  plot.on("plotly_hover", (event: PlotEvent | undefined) => callback(event?.points?.[0]?.pointNumber ?? null));
  plot.on("plotly_unhover", () => callback(null));
}

/** Call back when axes have moved. */
export function onMove(node: HTMLElement, callback: () => void): void {
  const plot = node as PlotNode;
  for (const event of ["plotly_relayouting", "plotly_afterplot"]) {
    plot.removeAllListeners(event);
    plot.on(event, callback);
  }
}

/** Where a point of a subplot ("" the first, "2" the second) lies in the node, in pixels; null outside the axes. */
export function place(
  node: HTMLElement,
  subplot: "" | "2",
  x: number,
  y: number,
): { left: number; top: number } | null {
  const axes = (node as PlotNode)._fullLayout;
  const xaxis = axes?.[`xaxis${subplot}`];
  const yaxis = axes?.[`yaxis${subplot}`];
  if (!xaxis || !yaxis) {
    return null;
  }
  const [dx, dy] = [xaxis.l2p(x), yaxis.l2p(y)];
  const isInside = dx >= 0 && dx <= xaxis._length && dy >= 0 && dy <= yaxis._length;
  return isInside ? { left: xaxis._offset + dx, top: yaxis._offset + dy } : null;
}

export function resize(node: HTMLElement): void {
  void Plotly.Plots.resize(node);
}

/** Free the node's WebGL contexts and handlers. */
export function purge(node: HTMLElement): void {
  Plotly.purge(node);
}
