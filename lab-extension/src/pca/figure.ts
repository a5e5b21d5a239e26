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
      margin: { l: 56, r: 10, t: 52, b: 42 },
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
      annotations: [heading(meta.models[0], "x", theme), heading(meta.models[1], "x2", theme)],
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

function heading(text: string, axis: string, theme: ThemeColours): object {
  return {
    text: `<b>${escapeMarkup(text)}</b>`,
    font: { size: 12, color: theme.text },
    showarrow: false,
    x: 0.5,
    y: 1,
    yshift: 20,
    xref: `${axis} domain`,
    yref: "paper",
    xanchor: "center",
    yanchor: "top",
  };
}

/** Plotly reads a few HTML tags in text. */
function escapeMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
