import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Widget } from "@lumino/widgets";
import { element } from "../dom.js";
import type * as PlotlyModule from "../plotly.js";
import { onThemeChange, themeColours, type ThemeColours } from "../theme.js";

export const PLOTLY_MIME = "application/vnd.plotly.v1+json";

type Plotly = typeof PlotlyModule;

interface PlotlyBundle {
  readonly data?: readonly Readonly<Record<string, unknown>>[];
  readonly layout?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A Plotly figure in a cell's output: follows the theme where the figure does not say otherwise, and the cell's width. */
export class RenderedPlotly extends Widget implements IRenderMime.IRenderer {
  constructor() {
    super();
    this.addClass("nl-Plotly");
    this.node.append(this._plot);
    this._resizer.observe(this.node);
    this._stopTheme = onThemeChange(() => void this.draw());
  }

  override dispose(): void {
    this._resizer.disconnect();
    this._stopTheme();
    this._plotly?.purge(this._plot);
    super.dispose();
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._bundle = (model.data[PLOTLY_MIME] ?? {}) as PlotlyBundle;
    await this.draw();
  }

  private async draw(): Promise<void> {
    this._plotly ??= await import("../plotly.js");
    const bundle = this._bundle;
    if (this.isDisposed || !bundle) {
      return;
    }
    const known = this._plotly.TRACE_TYPES;
    const unknown = (bundle.data ?? [])
      .map((trace) => String(trace["type"] ?? "scatter"))
      .find((type) => !known.includes(type));
    if (unknown !== undefined) {
      const text = `[plotly] trace type "${unknown}". Drawn here: ${known.join(", ")}.`;
      this.node.replaceChildren(element("pre", { class: "nl-Notice" }, text));
      return;
    }
    const layout = themedLayout(bundle.layout ?? {}, themeColours(this.node));
    await this._plotly.draw(this._plot, { data: bundle.data ?? [], layout }, bundle.config);
    this.node.dataset["drawn"] = "true";
  }

  private onResized(): void {
    if (this._plotly && this.node.dataset["drawn"] && this.node.clientWidth > 0) {
      this._plotly.resize(this._plot);
    }
  }

  private _bundle: PlotlyBundle | null = null;
  private _plot = element("div", { class: "nl-Plotly-plot" });
  private _plotly: Plotly | null = null;
  private _resizer = new ResizeObserver(() => requestAnimationFrame(() => this.onResized()));
  private _stopTheme: () => void;
}

/** The figure's layout over the theme's: colours through a template, so that whatever the figure sets wins. */
export function themedLayout(layout: Readonly<Record<string, unknown>>, theme: ThemeColours): Record<string, unknown> {
  const axis = { gridcolor: theme.grid, zerolinecolor: theme.grid, linecolor: theme.grid, automargin: true };
  const template = {
    layout: {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: theme.font, size: 12, color: theme.text },
      colorway: theme.isLight
        ? ["#3a93e6", "#da7e1e", "#4d45bb", "#906679", "#7d2d0b", "#162166"]
        : ["#35cbd2", "#e29858", "#9980fe", "#f7dc1f", "#4c6ca0", "#9b673b"],
      title: {
        font: { size: 14 },
        x: 0,
        xref: "paper",
        xanchor: "left",
        y: 1,
        yref: "container",
        yanchor: "top",
        pad: { t: 10 },
      },
      xaxis: axis,
      yaxis: axis,
    },
  };
  return {
    height: 360,
    margin: { l: 50, r: 20, t: layout["title"] ? 56 : 20, b: 40 },
    template,
    ...layout,
    autosize: layout["width"] === undefined,
  };
}

const extension: IRenderMime.IExtension = {
  id: "@nibble-lab/lab-extension:plotly",
  description: "Draws Plotly figures in outputs, without plotly.py.",
  rendererFactory: {
    safe: true,
    mimeTypes: [PLOTLY_MIME],
    createRenderer: () => new RenderedPlotly(),
  },
  // plotly.py's own renderer, where installed, keeps precedence.
  rank: 10,
  dataType: "json",
};

export default extension;
