import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";
import { button, element, select, table } from "../dom.js";
import { formatPercent } from "../format.js";
import { noticeFor, noticeNode } from "../states.js";
import { onThemeChange, themeColours } from "../theme.js";
import type { IKernelFeed } from "../tokens.js";
import { colourPoints, showToken, type Palette } from "./colour.js";
import { pcaFigure } from "./figure.js";
import { legendNodes } from "./legend.js";
import { COLOURINGS, type Colouring, type Comparison, type PcaModel } from "./model.js";
import { PcaStage } from "./stage.js";

const ROWS_IN_TABLE = 200;
const NAMED_IN_SUMMARY = 3;

/** Activations of two models side by side in the basis of the first, one layer at a time. */
export class PcaPanel extends Widget {
  constructor(private readonly options: PcaPanel.IOptions) {
    super();
    const { feed, model, trans } = options;
    this.addClass("nl-Panel");
    this.addClass("nl-Pca");
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", trans.__("PCA compare"));
    this._stage = new PcaStage(model, trans);
    this._tableButton = button(
      trans.__("Table"),
      trans.__("Show the plots as a table"),
      () => this.toggleTable(),
      false,
    );
    this._head.append(this._pickers, this._tableButton);
    this._summary.setAttribute("aria-live", "polite");
    this.node.append(
      this._notice,
      this._head,
      this._layers,
      this._stage.node,
      this._legend,
      this._summary,
      this._tables,
    );
    model.changed.connect(this.onChanged, this);
    feed.stateChanged.connect(this.onChanged, this);
    this._stopTheme = onThemeChange(() => this.update());
  }

  override dispose(): void {
    this._stopTheme();
    this._stage.dispose();
    this.options.model.changed.disconnect(this.onChanged, this);
    this.options.feed.stateChanged.disconnect(this.onChanged, this);
    super.dispose();
  }

  protected override onAfterAttach(): void {
    this.update();
  }

  protected override onAfterShow(): void {
    this.update();
  }

  protected override onResize(): void {
    this.update();
  }

  protected override onActivateRequest(): void {
    this._stage.node.focus();
  }

  protected override onUpdateRequest(): void {
    if (!this.isVisible) {
      return;
    }
    const { feed, model, trans } = this.options;
    const notice = noticeFor(feed.state, trans);
    this._notice.replaceChildren(...(notice ? [noticeNode(notice)] : []), ...this.problem());
    const current = model.current;
    for (const part of [this._head, this._layers, this._legend, this._summary]) {
      part.hidden = !current;
    }
    this._stage.node.hidden = !current || this._asTable;
    if (!current) {
      this._tables.replaceChildren(...(notice ? [] : [this.nothingYet()]));
      return;
    }
    this.showHead(current);
    this.showLayers(current);
    this.showPlots(current);
    this._summary.textContent = this.summary(current);
    this._tables.replaceChildren(...(this._asTable ? [this.layerTable(current), this.pointTable(current)] : []));
  }

  private onChanged(): void {
    this.update();
  }

  private problem(): HTMLElement[] {
    const { problem } = this.options.model;
    const title = this.options.trans.__("The last comparison cannot be shown");
    return problem === null ? [] : [noticeNode({ title, hint: problem })];
  }

  private nothingYet(): HTMLElement {
    const { trans } = this.options;
    return element(
      "div",
      { class: "nl-Notice", role: "status" },
      element("strong", {}, trans.__("Connected; nothing is compared yet")),
      element("span", {}, trans.__("Compare two models in a cell, for example:")),
      element("code", {}, 'await comparePca(model, tuned, { prompts, hook: "blocks.{i}.hook_resid_post" });'),
    );
  }

  private showHead(current: Comparison): void {
    // A picker that is rebuilt while it is open would close under the user's hand.
    if (this._pickers.contains(document.activeElement) && this._headFor === current) {
      this.showLayerNumber(current);
      return;
    }
    this._headFor = current;
    const { model, trans } = this.options;
    const { meta } = current;
    const pick = (label: string, chosen: number, onChange: (value: number) => void): HTMLElement => {
      const choices = Array.from({ length: meta.components }, (_, i): [string, string] => [String(i), `PC${i + 1}`]);
      return select(label, choices, String(chosen), (value) => onChange(Number(value)));
    };
    this._slider = element("input", {
      type: "range",
      min: 0,
      max: meta.layers.length - 1,
      value: model.layer,
      "aria-label": trans.__("Layer"),
    });
    const slider = this._slider;
    slider.addEventListener("input", () => model.setLayer(Number(slider.value)));
    const sameScale = element("input", { type: "checkbox", checked: model.isSameScale });
    sameScale.addEventListener("change", () => model.setSameScale(sameScale.checked));
    this._pickers.replaceChildren(
      ...this.comparisonPicker(current),
      element(
        "div",
        { class: "nl-Field", role: "group", "aria-label": trans.__("Layer") },
        button("◀", trans.__("Previous layer (←)"), () => model.setLayer(model.layer - 1)),
        slider,
        button("▶", trans.__("Next layer (→)"), () => model.setLayer(model.layer + 1)),
        this._layerNumber,
      ),
      pick(trans.__("across"), model.axes[0], (value) => model.setAxis(0, value)),
      pick(trans.__("up"), model.axes[1], (value) => model.setAxis(1, value)),
      this.colourPicker(),
      element(
        "label",
        { class: "nl-Field", title: trans.__("Draw every layer with the same ranges") },
        sameScale,
        trans.__("one scale for all layers"),
      ),
    );
    this.showLayerNumber(current);
  }

  private showLayerNumber({ meta }: Comparison): void {
    const { layer } = this.options.model;
    this._slider.value = String(layer);
    this._layerNumber.textContent = this.options.trans.__("%1 of %2", layer + 1, meta.layers.length);
  }

  private comparisonPicker(current: Comparison): HTMLElement[] {
    const { comparisons } = this.options.model;
    if (comparisons.length < 2) {
      return [];
    }
    const choices = comparisons.map(({ meta }, i): [string, string] => [
      String(i),
      `${meta.models[0]} / ${meta.models[1]}`,
    ]);
    const chosen = String(comparisons.indexOf(current));
    return [
      select(this.options.trans.__("Models"), choices, chosen, (value) => {
        const comparison = comparisons[Number(value)];
        if (comparison) {
          this.options.model.show(comparison);
        }
      }),
    ];
  }

  private colourPicker(): HTMLElement {
    const { model, trans } = this.options;
    const names: Record<Colouring, string> = {
      prompt: trans.__("prompt"),
      token: trans.__("token"),
      position: trans.__("position"),
      displacement: trans.__("displacement"),
    };
    const choices = COLOURINGS.map((by): [string, string] => [by, names[by]]);
    return select(trans.__("colour"), choices, model.colouring, (value) => model.setColouring(value as Colouring));
  }

  private showLayers({ meta }: Comparison): void {
    const { model, trans } = this.options;
    const highest = Math.max(...meta.displacement, 1e-12);
    const bars = meta.layers.map((name, layer) => {
      const share = meta.displacement[layer] ?? 0;
      const bar = element("i");
      bar.style.height = `${Math.max(4, (100 * share) / highest)}%`;
      const made = element(
        "button",
        {
          type: "button",
          class: "nl-Layer",
          tabindex: -1,
          title: `${name}: ${formatPercent(share)}`,
          "aria-current": layer === model.layer ? "true" : null,
        },
        element("span", { class: "nl-Layer-track" }, bar),
        element("span", {}, String(layer + 1)),
      );
      made.addEventListener("click", () => model.setLayer(layer));
      return made;
    });
    this._layers.replaceChildren(
      element(
        "div",
        { class: "nl-Layers-title" },
        element("code", {}, meta.layers[model.layer] ?? ""),
        element("span", {}, trans.__("displacement by layer")),
      ),
      element("div", { class: "nl-Layers-bars" }, ...bars),
      element("b", {}, formatPercent(meta.displacement[model.layer] ?? 0)),
    );
  }

  private showPlots(comparison: Comparison): void {
    const { model, trans } = this.options;
    const { layer, axes, ranges, isSameScale } = model;
    const colours = colourPoints(comparison, layer, model.colouring, palette(this.node, trans));
    this._legend.replaceChildren(...legendNodes(colours, (count) => trans.__("and %1 more", count)));
    if (!this._asTable) {
      const theme = themeColours(this.node);
      const width = this._stage.node.clientWidth;
      void this._stage.show(pcaFigure({ comparison, layer, axes, ranges, isSameScale, colours, theme, width }));
    }
  }

  private summary(comparison: Comparison): string {
    const { model, trans } = this.options;
    const { meta } = comparison;
    const share = formatPercent(meta.displacement[model.layer] ?? 0);
    const furthest = comparison
      .mostMoved(model.layer, NAMED_IN_SUMMARY)
      .map(({ point }) => `“${showToken(meta.tokens[point] ?? "")}”`)
      .join(", ");
    const points =
      meta.sampled.from > meta.points
        ? trans.__(
            "%1 of %2 points (%3, seed %4)",
            meta.points,
            meta.sampled.from,
            meta.sampled.method,
            meta.sampled.seed,
          )
        : trans.__("all %1 points", meta.points);
    return [
      trans.__(
        "Layer %1 of %2: activations of “%3” lie on average %4 of the cloud's radius from where “%5” has them.",
        model.layer + 1,
        meta.layers.length,
        meta.models[1],
        share,
        meta.models[0],
      ),
      trans.__("Moved furthest: %1.", furthest),
      trans.__(
        "Both are drawn in the basis fitted on “%1”, on the same axes; a component's percentage is its share of that model's variance. Shown: %2.",
        meta.models[0],
        points,
      ),
    ].join(" ");
  }

  private layerTable({ meta }: Comparison): HTMLElement {
    const { trans } = this.options;
    const components = Math.min(3, meta.components);
    const rows = meta.layers.map((name, layer) => [
      name,
      formatPercent(meta.displacement[layer] ?? 0),
      ...Array.from({ length: components }, (_, i) => formatPercent(meta.explained[layer]?.[i] ?? 0)),
    ]);
    const head = [
      trans.__("Layer"),
      trans.__("displacement"),
      ...Array.from({ length: components }, (_, i) => trans.__("variance of PC%1", i + 1)),
    ];
    const numeric = head.map((_, column) => column).slice(1);
    return element("div", { class: "nl-Scroll", tabindex: 0 }, table(trans.__("By layer"), head, rows, numeric));
  }

  private pointTable(comparison: Comparison): HTMLElement {
    const { model, trans } = this.options;
    const { meta } = comparison;
    const at = (side: 0 | 1, point: number, axis: 0 | 1): string =>
      comparison.at(model.layer, side, point, model.axes[axis]).toPrecision(4);
    const rows = comparison
      .mostMoved(model.layer, ROWS_IN_TABLE)
      .map(({ point, distance }) => [
        showToken(meta.tokens[point] ?? ""),
        element("span", { class: "nl-Prompt" }, comparison.promptOf(point)),
        ...([0, 1] as const).flatMap((side) => [at(side, point, 0), at(side, point, 1)]),
        distance.toPrecision(3),
      ]);
    const [across, up] = model.axes.map((component) => `PC${component + 1}`);
    const head = [
      trans.__("Token"),
      trans.__("Prompt"),
      ...[trans.__("left"), trans.__("right")].flatMap((side) => [`${side} ${across}`, `${side} ${up}`]),
      trans.__("moved"),
    ];
    const caption = trans.__(
      "Points of layer %1, furthest moved first (%2 of %3). Left: %4. Right: %5.",
      model.layer + 1,
      rows.length,
      meta.points,
      ...meta.models,
    );
    return element("div", { class: "nl-Scroll", tabindex: 0 }, table(caption, head, rows, [2, 3, 4, 5, 6]));
  }

  private toggleTable(): void {
    this._asTable = !this._asTable;
    this._tableButton.setAttribute("aria-pressed", String(this._asTable));
    this.update();
  }

  private _asTable = false;
  private _head = element("div", { class: "nl-Head nl-mod-nowrap" });
  private _headFor: Comparison | null = null;
  private _layerNumber = element("b", { class: "nl-Pca-layer" });
  private _layers = element("div", { class: "nl-Layers" });
  private _legend = element("div", { class: "nl-Legend" });
  private _notice = element("div");
  private _pickers = element("div", { class: "nl-Head nl-mod-grow" });
  private _slider = element("input", { type: "range" });
  private _stage: PcaStage;
  private _stopTheme: () => void;
  private _summary = element("p", { class: "nl-Summary" });
  private _tableButton: HTMLButtonElement;
  private _tables = element("div", { class: "nl-Details" });
}

export namespace PcaPanel {
  export interface IOptions {
    readonly feed: IKernelFeed;
    readonly model: PcaModel;
    readonly trans: TranslationBundle;
  }
}

/** The colours that style/base.css defines for the theme in use. */
function palette(node: Element, trans: TranslationBundle): Palette {
  const style = getComputedStyle(node);
  const list = (name: string): string[] =>
    style
      .getPropertyValue(name)
      .trim()
      .split(/[\s,]+/);
  return {
    groups: list("--nl-groups"),
    rest: style.getPropertyValue("--nl-rest").trim(),
    scale: list("--nl-scale"),
    restLabel: trans.__("other tokens"),
  };
}
