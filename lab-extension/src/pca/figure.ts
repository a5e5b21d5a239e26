import { formatPercent } from "../format.js";
import type { Figure } from "../plotly.js";
import type { ThemeColours } from "../theme.js";
import type { Colours } from "./colour.js";
import type { Comparison, Side } from "./model.js";

export interface PcaView {
  readonly comparison: Comparison;
  readonly layer: number;
  readonly axes: readonly [number, number];
  readonly ranges: readonly [readonly [number, number], readonly [number, number]];
  readonly isSameScale: boolean;
  readonly colours: Colours;
  readonly theme: ThemeColours;
  /** Pixels that both plots share. */
  readonly width: number;
}

/** Up to here SVG markers are as fast as WebGL, and cost none of the page's few WebGL contexts. */
const SVG_POINTS = 2_000;

/** Both models beside each other, on the same axes with the same ranges; moving one moves the other. */
export function pcaFigure(view: PcaView): Figure {
  const { comparison, layer, axes, theme } = view;
  const { meta } = comparison;
  const explained = meta.explained[layer] ?? [];
  const label = (component: number): string => `PC${component + 1} (${formatPercent(explained[component] ?? 0)})`;
  const axis = {
    gridcolor: theme.grid,
    zerolinecolor: theme.grid,
    linecolor: theme.grid,
    tickfont: { size: 10, color: theme.faint },
    showline: true,
    mirror: true,
    zeroline: true,
    nticks: 6,
  };
  const x = { ...axis, range: [...view.ranges[0]], title: { text: label(axes[0]), standoff: 6 } };
  const y = { ...axis, range: [...view.ranges[1]] };
  return {
    data: [cloud(view, 0), cloud(view, 1)],
    layout: {
      autosize: true,
      uirevision: [meta.id, axes, view.isSameScale || layer].join(),
      modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.faint, activecolor: theme.brand },
      margin: { l: 56, r: 10, t: 64, b: 42 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: theme.font, size: 11, color: theme.text },
      showlegend: false,
      hovermode: "closest",
      hoverdistance: 12,
      dragmode: "pan",
      xaxis: { ...x, domain: [0, 0.49] },
      xaxis2: { ...x, domain: [0.51, 1], matches: "x", anchor: "y2" },
      yaxis: { ...y, title: { text: label(axes[1]), standoff: 4 } },
      yaxis2: { ...y, matches: "y", anchor: "x2", showticklabels: false },
      annotations: [heading(view, 0), heading(view, 1)],
    },
  };
}

function cloud({ comparison, layer, axes, colours, theme }: PcaView, side: Side): Readonly<Record<string, unknown>> {
  const { points, models } = comparison.meta;
  return {
    type: points > SVG_POINTS ? "scattergl" : "scatter",
    mode: "markers",
    name: models[side],
    x: comparison.axis(layer, side, axes[0]),
    y: comparison.axis(layer, side, axes[1]),
    xaxis: side === 0 ? "x" : "x2",
    yaxis: side === 0 ? "y" : "y2",
    hoverinfo: "none",
    marker: {
      color: colours.colour,
      symbol: colours.shape,
      size: points > SVG_POINTS ? 5 : 8,
      opacity: 0.85,
      line: { width: points > SVG_POINTS ? 0 : 0.75, color: theme.background },
    },
  };
}

/** Pixels of an average bold letter at 12 px. */
const LETTER = 6.8;

function heading({ comparison, theme, width }: PcaView, side: Side): object {
  const letters = Math.max(8, Math.floor((width * 0.49 - 34) / LETTER));
  const lines = wrap(comparison.meta.models[side], letters).map((line) => `<b>${escapeMarkup(line)}</b>`);
  return {
    text: lines.join("<br>"),
    font: { size: 12, color: theme.text },
    align: "left",
    showarrow: false,
    x: 0,
    y: 1,
    yshift: 4,
    xref: side === 0 ? "x domain" : "x2 domain",
    yref: "paper",
    xanchor: "left",
    yanchor: "bottom",
  };
}

/** At most two lines of about `letters`; what does not fit ends in an ellipsis. */
export function wrap(text: string, letters: number): string[] {
  if (text.length <= letters) {
    return [text];
  }
  const space = text.lastIndexOf(" ", letters);
  const cut = space > 0 ? space : letters;
  const rest = text.slice(cut).trim();
  return [text.slice(0, cut), rest.length > letters ? `${rest.slice(0, letters - 1)}…` : rest];
}

/** Plotly reads a few HTML tags in text. */
function escapeMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
