import { escapeHtml } from "../display.js";
import type { PcaComparisonMeta } from "../events.js";

/** What a picture needs of a comparison. */
export interface ComparedPoints {
  readonly meta: PcaComparisonMeta;
  /** Coordinates [points, components] of one model at one layer. */
  at(layer: number, model: 0 | 1): Float32Array;
}

/** Differ in hue and lightness, also for colour-blind eyes, on light and dark ground. */
const COLORS = ["#3a93e6", "#da7e1e"] as const;
const SYMBOLS = ["circle", "diamond"] as const;
/** A figure is saved with the notebook: at most about 1 MB, at about this many bytes for a point of a trace. */
const FIGURE_BYTES = 900_000;
const POINT_BYTES = 50;
const MAX_SLIDER_LAYERS = 24;
const MAX_SVG_POINTS = 300;

/** A Plotly figure: the first model left, the second right, axes tied; a slider where there are not too many layers. */
export function comparisonFigure(comparison: ComparedPoints, middle: number): object {
  const { layers, models, points, tokens, promptOf } = comparison.meta;
  const drawn = layers.length <= MAX_SLIDER_LAYERS ? layers.map((_, i) => i) : [middle];
  const shown = spread(points, Math.floor(FIGURE_BYTES / (POINT_BYTES * 2 * drawn.length)));
  const text = shown.map((i) => `${tokens[i]} (prompt ${promptOf[i]})`);
  const data = drawn.flatMap((layer) =>
    models.map((name, model) => trace(comparison, layer, model as 0 | 1, shown, name, text, layer === middle)),
  );
  return { data, layout: layout(comparison, drawn, middle) };
}

function trace(
  comparison: ComparedPoints,
  layer: number,
  model: 0 | 1,
  shown: readonly number[],
  name: string,
  text: readonly string[],
  visible: boolean,
): object {
  const at = comparison.at(layer, model);
  const { components } = comparison.meta;
  const axis = (component: number) =>
    shown.map((i) => rounded(component < components ? at[i * components + component]! : 0));
  const place = model === 0 ? {} : { xaxis: "x2", yaxis: "y2" };
  const marker = { color: COLORS[model], symbol: SYMBOLS[model], size: 5, opacity: 0.7 };
  return {
    type: "scatter",
    mode: "markers",
    name,
    x: axis(0),
    y: axis(1),
    text,
    hoverinfo: "text",
    marker,
    visible,
    ...place,
  };
}

function layout(comparison: ComparedPoints, drawn: readonly number[], middle: number): object {
  const { layers, displacement, explained, components } = comparison.meta;
  const title = (layer: number) => `${layers[layer]}, displacement ${displacement[layer]!.toFixed(3)}`;
  const axisTitle = (component: number) =>
    component < components ? `PC${component + 1} (${(100 * explained[middle]![component]!).toFixed(0)} %)` : "";
  const steps = drawn.map((layer) => ({
    label: String(layer),
    method: "update",
    args: [{ visible: drawn.flatMap((other) => [other === layer, other === layer]) }, { "title.text": title(layer) }],
  }));
  const slider = { active: drawn.indexOf(middle), currentvalue: { prefix: "layer " }, steps, pad: { t: 50 } };
  return {
    title: { text: title(middle) },
    height: 460,
    xaxis: { domain: [0, 0.47], title: { text: axisTitle(0) } },
    yaxis: { title: { text: axisTitle(1) } },
    xaxis2: { domain: [0.53, 1], matches: "x", title: { text: axisTitle(0) } },
    yaxis2: { anchor: "x2", matches: "y", showticklabels: false },
    legend: { orientation: "h", y: 1.12 },
    hovermode: "closest",
    ...(drawn.length > 1 && { sliders: [slider] }),
  };
}

/** Two scatter plots with tied axes, for readers without Plotly. */
export function comparisonSvg(comparison: ComparedPoints, layer: number): string {
  const { models, points, components, layers } = comparison.meta;
  const shown = spread(points, MAX_SVG_POINTS);
  const sides = [comparison.at(layer, 0), comparison.at(layer, 1)];
  const value = (side: number, i: number, component: number) =>
    component < components ? sides[side]![i * components + component]! : 0;
  const limits = [0, 1].map((component) =>
    range([0, 1].flatMap((side) => shown.map((i) => value(side, i, component)))),
  );
  const [size, gap, top] = [240, 40, 36];
  const panels = models.map((name, side) => {
    const left = gap + side * (size + gap);
    const dots = shown.map((i) => {
      const x = left + size * position(value(side, i, 0), limits[0]!);
      const y = top + size * (1 - position(value(side, i, 1), limits[1]!));
      return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="2"/>`;
    });
    const frame = `<rect x="${left}" y="${top}" width="${size}" height="${size}" fill="none" stroke="currentColor" stroke-opacity="0.3"/>`;
    const label = `<text x="${left}" y="${top - 6}" fill="currentColor">${escapeHtml(cut(name, 44))}</text>`;
    return `${frame}${label}<g fill="${COLORS[side]}" fill-opacity="0.7">${dots.join("")}</g>`;
  });
  const width = gap + 2 * (size + gap);
  const title = `${layers[layer]}: PC1 across, PC2 up`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top + size + 24}" width="${width}" role="img" aria-label="${escapeHtml(title)}" ` +
    `style="max-width:100%;color:var(--jp-content-font-color1,currentColor);font:11px var(--jp-ui-font-family,sans-serif)">` +
    `<text x="${gap}" y="14" fill="currentColor">${escapeHtml(title)}</text>${panels.join("")}</svg>`
  );
}

/** At most `count` of 0 … total − 1, evenly spaced. */
function spread(total: number, count: number): number[] {
  if (total <= count) return Array.from({ length: total }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.floor((i * total) / count));
}

function range(values: readonly number[]): readonly [number, number] {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return low === high ? [low - 1, high + 1] : [low, high];
}
function position(value: number, [low, high]: readonly [number, number]): number {
  return (value - low) / (high - low);
}
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
