import type { TranslationBundle } from "@jupyterlab/translation";
import { element } from "../dom.js";
import type * as PlotlyModule from "../plotly.js";
import type { Figure } from "../plotly.js";
import { showToken } from "./colour.js";
import type { PcaModel, Side } from "./model.js";

type Plotly = typeof PlotlyModule;

/** The two plots, and the ring that marks one point in both. */
export class PcaStage {
  constructor(
    private readonly model: PcaModel,
    private readonly trans: TranslationBundle,
  ) {
    this.node = element(
      "figure",
      {
        class: "nl-Pca-stage",
        tabindex: 0,
        "aria-label": trans.__(
          "Two scatter plots on the same axes. Left and right change the layer, up and down move through the points, Escape lets go.",
        ),
      },
      this._plot,
      ...this._rings,
      this._tip,
    );
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    model.highlightChanged.connect(this.markPoint, this);
    this._resizer.observe(this.node);
  }

  readonly node: HTMLElement;

  /** Draw; the first call fetches Plotly. */
  async show(figure: Figure): Promise<void> {
    this._plotly ??= await import("../plotly.js");
    if (this._isDisposed || !this.node.isConnected) {
      return;
    }
    await this._plotly.draw(this._plot, figure, {
      modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
      scrollZoom: true,
    });
    this._plotly.onHover(this._plot, (point) => this.model.setHighlight(point));
    this._plotly.onMove(this._plot, () => this.markPoint());
    this._isDrawn = true;
    this.node.dataset["drawn"] = String(this.model.layer);
    this.markPoint();
  }

  dispose(): void {
    this._isDisposed = true;
    this._resizer.disconnect();
    this.model.highlightChanged.disconnect(this.markPoint, this);
    this._plotly?.purge(this._plot);
  }

  private onKey(event: KeyboardEvent): void {
    const last = (this.model.current?.meta.points ?? 0) - 1;
    const here = this.model.highlight;
    const targets: Record<string, number | null> = {
      ArrowDown: Math.min((here ?? -1) + 1, last),
      ArrowUp: Math.max((here ?? 1) - 1, 0),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (event.key in targets && last >= 0) {
      this.model.setHighlight(targets[event.key] ?? null);
      event.preventDefault();
      event.stopPropagation();
    }
  }

  private onResize(): void {
    if (this._isDrawn && this.node.clientWidth > 0) {
      this._plotly?.resize(this._plot);
    }
  }

  private markPoint(): void {
    const { current, highlight, layer, axes } = this.model;
    const places = ([0, 1] as const).map((side) =>
      current && highlight !== null && this._plotly && this._isDrawn
        ? this._plotly.place(
            this._plot,
            side === 0 ? "" : "2",
            current.at(layer, side, highlight, axes[0]),
            current.at(layer, side, highlight, axes[1]),
          )
        : null,
    );
    places.forEach((at, side) => {
      const ring = this._rings[side as Side];
      ring.hidden = at === null;
      if (at) {
        ring.style.transform = `translate(${at.left}px, ${at.top}px)`;
      }
    });
    const marked = places.filter((at) => at !== null);
    this._tip.hidden = marked.length === 0;
    if (marked.length > 0 && highlight !== null) {
      this.fillTip(highlight);
      const { left, top } = clearOf(marked, this._tip, this.node);
      this._tip.style.transform = `translate(${left}px, ${top}px)`;
    }
  }

  private fillTip(point: number): void {
    const current = this.model.current;
    if (!current) {
      return;
    }
    const { trans } = this;
    const distance = current.moved(this.model.layer)[point] ?? 0;
    this._tip.replaceChildren(
      element("b", {}, showToken(current.meta.tokens[point] ?? "")),
      element(
        "span",
        {},
        trans.__("position %1, moved %2", (current.positions[point] ?? 0) + 1, distance.toPrecision(3)),
      ),
      element("q", {}, shorten(current.promptOf(point))),
    );
  }

  private _isDisposed = false;
  private _isDrawn = false;
  private _plot = element("div", { class: "nl-Pca-plot" });
  private _plotly: Plotly | null = null;
  private _resizer = new ResizeObserver(() => requestAnimationFrame(() => this.onResize()));
  private _rings = [ring(), ring()] as const;
  private _tip = element("div", { class: "nl-Tip", role: "status", hidden: true });
}

/** Room between a marked point and the note about it, in pixels. */
const ROOM = 14;

/** Where a note near the first point hides none of the points: below, above, or at an edge. */
function clearOf(
  points: readonly { left: number; top: number }[],
  note: HTMLElement,
  within: HTMLElement,
): { left: number; top: number } {
  const { offsetWidth: width, offsetHeight: height } = note;
  const [first = { left: 0, top: 0 }] = points;
  const left = Math.max(0, Math.min(first.left + ROOM, within.clientWidth - width - 4));
  const isClear = (top: number): boolean =>
    top >= 0 &&
    top + height <= within.clientHeight &&
    points.every(
      (at) =>
        at.left < left - ROOM || at.left > left + width + ROOM || at.top < top - ROOM || at.top > top + height + ROOM,
    );
  const lowest = Math.max(...points.map((at) => at.top));
  const highest = Math.min(...points.map((at) => at.top));
  const tops = [first.top + ROOM + 1, lowest + ROOM + 1, highest - ROOM - 1 - height, within.clientHeight - height, 0];
  return { left, top: tops.find(isClear) ?? first.top + ROOM };
}

function ring(): HTMLElement {
  return element("div", { class: "nl-Ring", hidden: true, "aria-hidden": "true" });
}

const PROMPT_SHOWN = 160;

function shorten(text: string): string {
  return text.length > PROMPT_SHOWN ? `${text.slice(0, PROMPT_SHOWN)}…` : text;
}
