import { CATEGORIES, type Category } from "@nibble-lab/messages";
import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";
import { button, element, select, table } from "../dom.js";
import { formatBytes, formatSeconds, type ByteUnits } from "../format.js";
import { noticeFor, noticeNode } from "../states.js";
import { onThemeChange } from "../theme.js";
import type { IKernelFeed } from "../tokens.js";
import { categoryNames } from "./categories.js";
import { MemoryChart } from "./chart-view.js";
import { deviceAt, type Instant, type MemoryHistory, type MemoryModel } from "./model.js";

/** Numbers and tables change no faster than people read; the chart has its own pace. */
const TEXT_MS = 500;

/** Longest spans of time to choose from, in seconds. */
const WINDOWS = [30, 60, 120, 300, 900, 1800];

const OWNERS_SHOWN = 12;
const INSTANTS_IN_TABLE = 60;

/** Live bytes of the kernel in use: a moving chart, the numbers behind it, and who holds the most. */
export class MemoryPanel extends Widget {
  constructor(private readonly options: MemoryPanel.IOptions) {
    super();
    this.addClass("nl-Panel");
    this.addClass("nl-Memory");
    const { trans } = options;
    this._names = categoryNames(trans);
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", trans.__("Memory"));
    this._pauseButton = button(
      trans.__("Pause"),
      trans.__("Keep the picture as it is; recording goes on"),
      () => this.togglePause(),
      false,
    );
    this._tableButton = button(
      trans.__("Table"),
      trans.__("Show the chart as a table"),
      () => this.toggleTable(),
      false,
    );
    this._head.append(this._pickers, this._tableButton, this._pauseButton);
    this._chart = new MemoryChart(trans, () => this.showDetails());
    this.node.append(
      this._source,
      this._head,
      this._notice,
      this._numbers,
      this._chart.node,
      this._readout,
      this._details,
    );
    this._readout.setAttribute("aria-live", "polite");
    this.buildPickers();
    options.model.changed.connect(this.onChanged, this);
    this._stopTheme = onThemeChange(() => this._chart.recolour());
  }

  /** Seconds of time that the chart spans. */
  setWindow(seconds: number): void {
    this._seconds = seconds;
    this.buildPickers();
    this.update();
  }

  setUnits(units: ByteUnits): void {
    this._units = units;
    this.update();
  }

  override dispose(): void {
    this._stopTheme();
    this._chart.dispose();
    this.options.model.changed.disconnect(this.onChanged, this);
    super.dispose();
  }

  protected override onAfterShow(): void {
    this.update();
  }

  protected override onAfterAttach(): void {
    this._chart.recolour();
    this.update();
  }

  protected override onResize(): void {
    this._chart.resize();
  }

  protected override onUpdateRequest(): void {
    if (!this.isVisible) {
      return;
    }
    const notice = noticeFor(this.options.feed.state, this.options.trans);
    this._notice.replaceChildren(...(notice ? [noticeNode(notice)] : []));
    this._source.textContent = this.options.feed.source?.title ?? "";
    this.node.classList.toggle("nl-mod-stale", notice !== null);
    const history = this.options.model.history;
    this._chart.show(history, this.device(history), this._seconds, this._units, notice === null);
    this.showDetails();
  }

  private onChanged(): void {
    if (this._textTimer === 0 && !this._paused) {
      this._textTimer = window.setTimeout(() => {
        this._textTimer = 0;
        this.update();
      }, TEXT_MS);
    }
    if (this.isVisible && !this._paused) {
      this._chart.requestDraw();
    }
  }

  private buildPickers(): void {
    const { trans } = this.options;
    const windows = WINDOWS.map((seconds): [string, string] => [String(seconds), formatSeconds(seconds)]);
    this._pickers.replaceChildren(
      ...this.devicePicker(),
      select(trans.__("Window"), windows, String(this._seconds), (value) => this.setWindow(Number(value))),
    );
  }

  private devicePicker(): HTMLElement[] {
    const devices = this.options.model.history?.devices ?? [];
    this._devicesInHead = devices.join();
    if (devices.length < 2) {
      return [];
    }
    const choices = devices.map((device): [string, string] => [device, device]);
    return [
      select(this.options.trans.__("Device"), choices, this.device(this.options.model.history), (value) => {
        this._device = value;
        this.update();
      }),
    ];
  }

  /** The device chosen, or the one in use: the last listed that holds bytes. */
  private device(history: MemoryHistory | null): string {
    const devices = history?.devices ?? [];
    if (this._device && devices.includes(this._device)) {
      return this._device;
    }
    const latest = history?.latest;
    const busy = latest?.devices.filter((entry) => entry.live > 0).at(-1);
    return busy?.device ?? devices[0] ?? "cpu";
  }

  private togglePause(): void {
    this._paused = !this._paused;
    this._chart.freeze(this._paused);
    this._pauseButton.setAttribute("aria-pressed", String(this._paused));
    this.update();
  }

  private toggleTable(): void {
    this._asTable = !this._asTable;
    this._tableButton.setAttribute("aria-pressed", String(this._asTable));
    this.update();
  }

  private showDetails(): void {
    const history = this.options.model.history;
    const instant = this._chart.cursor ?? (this._paused ? this._chart.frozen : history?.latest) ?? null;
    if (this._devicesInHead !== (history?.devices ?? []).join()) {
      this.buildPickers();
    }
    const device = this.device(history);
    const hasHeld = instant !== null && deviceAt(instant, device).peak > 0;
    this._chart.node.hidden = this._asTable || !hasHeld;
    this._readout.hidden = !hasHeld;
    if (!history || !instant || !hasHeld) {
      this._numbers.replaceChildren();
      this._details.replaceChildren(...(this.options.feed.state.kind === "connected" ? [this.nothingYet()] : []));
      return;
    }
    this._numbers.replaceChildren(...this.numbers(instant, device));
    this._readout.textContent = this.readout(instant, history);
    const tables = [this.categoryTable(instant, device), this.ownerTable(history, device)];
    this._details.replaceChildren(...(this._asTable ? [this.timeTable(history, device), ...tables] : tables));
  }

  private nothingYet(): HTMLElement {
    const { trans } = this.options;
    return element(
      "div",
      { class: "nl-Notice", role: "status" },
      element("strong", {}, trans.__("Connected; nothing is held yet")),
      element("span", {}, trans.__("Load a model in a cell, for example:")),
      element("code", {}, 'const model = await loadModel("pocket");'),
    );
  }

  private numbers(instant: Instant, device: string): HTMLElement[] {
    const { trans } = this.options;
    const { live, peak, limit } = deviceAt(instant, device);
    const bytes = (value: number): string => formatBytes(value, this._units);
    const number = (label: string, value: string, title: string): HTMLElement =>
      element("div", { class: "nl-Number", title }, element("b", {}, value), element("span", {}, label));
    return [
      number(trans.__("live"), bytes(live), trans.__("Bytes that tensors hold on %1", device)),
      number(trans.__("peak"), bytes(peak), trans.__("The most ever held on %1", device)),
      number(
        trans.__("limit"),
        limit > 0 ? bytes(limit) : trans.__("none"),
        trans.__("Allocating more than this is an error"),
      ),
      number(
        trans.__("process"),
        bytes(instant.resident),
        trans.__("Resident bytes of the whole process, JavaScript included"),
      ),
    ];
  }

  private readout(instant: Instant, history: MemoryHistory): string {
    const { trans } = this.options;
    const when = new Date(instant.time).toLocaleTimeString();
    const cell = instant.cell === null ? trans.__("between cells") : trans.__("cell [%1]", instant.cell);
    return instant === history.latest ? trans.__("Now, %1", cell) : trans.__("At %1, %2", when, cell);
  }

  private categoryTable(instant: Instant, device: string): HTMLElement {
    const { trans } = this.options;
    const { byCategory, atPeak } = deviceAt(instant, device);
    const rows = CATEGORIES.map((category, index) => [
      this.swatch(category),
      formatBytes(byCategory[index] ?? 0, this._units),
      formatBytes(atPeak[index] ?? 0, this._units),
    ]);
    const when = this._chart.cursor ? trans.__("then") : trans.__("now");
    return table(trans.__("By category"), [trans.__("Category"), when, trans.__("at the peak")], rows, [1, 2]);
  }

  private swatch(category: Category): HTMLElement {
    const mark = element("i", { class: `nl-Swatch nl-mod-${category}`, "aria-hidden": "true" });
    return element("span", { class: "nl-Key" }, mark, this._names[category]);
  }

  private ownerTable(history: MemoryHistory, device: string): HTMLElement {
    const { trans } = this.options;
    const owners = history.owners.filter((owner) => owner.device === device).slice(0, OWNERS_SHOWN);
    const rows = owners.map((owner) => [
      element(
        "span",
        { class: "nl-Owner", title: `${owner.owner} (${this._names[owner.category]})` },
        element("i", {
          class: `nl-Swatch nl-mod-${owner.category}`,
          role: "img",
          "aria-label": this._names[owner.category],
        }),
        element("code", {}, element("bdi", {}, owner.owner)),
      ),
      formatBytes(owner.bytes, this._units),
    ]);
    return table(trans.__("Largest owners, now"), [trans.__("Owner"), trans.__("Bytes")], rows, [1]);
  }

  private timeTable(history: MemoryHistory, device: string): HTMLElement {
    const { trans } = this.options;
    const rows = history.instants
      .slice(-INSTANTS_IN_TABLE)
      .reverse()
      .map((instant) => {
        const at = deviceAt(instant, device);
        return [
          new Date(instant.time).toLocaleTimeString(),
          instant.cell === null ? "–" : `[${instant.cell}]`,
          formatBytes(at.live, this._units),
          ...CATEGORIES.map((_, index) => formatBytes(at.byCategory[index] ?? 0, this._units)),
        ];
      });
    const head = [trans.__("Time"), trans.__("Cell"), trans.__("live"), ...CATEGORIES.map((name) => this._names[name])];
    const numeric = head.map((_, column) => column).slice(2);
    const caption = trans.__("The last %1 samples, newest first", rows.length);
    this._timeScroll.replaceChildren(table(caption, head, rows, numeric));
    return this._timeScroll;
  }

  private _asTable = false;
  private _chart: MemoryChart;
  private _details = element("div", { class: "nl-Details" });
  private _device = "";
  private _devicesInHead = "";
  private _head = element("div", { class: "nl-Head" });
  private _names: Readonly<Record<Category, string>>;
  private _notice = element("div");
  private _numbers = element("div", { class: "nl-Numbers" });
  private _pauseButton: HTMLButtonElement;
  private _paused = false;
  private _pickers = element("div", { class: "nl-Head nl-mod-grow" });
  private _readout = element("div", { class: "nl-Readout" });
  private _seconds = 120;
  private _source = element("span", { class: "nl-Source" });
  private _stopTheme: () => void;
  private _tableButton: HTMLButtonElement;
  private _textTimer = 0;
  /** Kept, so that a new table does not scroll back to its beginning. */
  private _timeScroll = element("div", { class: "nl-Scroll", tabindex: 0 });
  private _units: ByteUnits = "binary";
}

export namespace MemoryPanel {
  export interface IOptions {
    readonly feed: IKernelFeed;
    readonly model: MemoryModel;
    readonly trans: TranslationBundle;
  }
}
