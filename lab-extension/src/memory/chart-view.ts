import type { TranslationBundle } from "@jupyterlab/translation";
import { element } from "../dom.js";
import type { ByteUnits } from "../format.js";
import { themeColours } from "../theme.js";
import { draw, scales, type ChartColours, type ChartView } from "./chart.js";
import type { Instant, MemoryHistory } from "./model.js";
import { categoryColours } from "./palette.js";

/** At most ten pictures a second. */
const FRAME_MS = 100;

/** A young history fills the width, but a few seconds are not blown up. */
const SHORTEST_MS = 20_000;

/** The time axis moves on even when no sample comes. */
const CLOCK_MS = 1_000;

/** The canvas: draws on animation frames, and turns keys and pointer into a cursor. */
export class MemoryChart {
  constructor(
    trans: TranslationBundle,
    private readonly onCursor: () => void,
  ) {
    this.node = element(
      "figure",
      {
        class: "nl-MemoryChart",
        tabindex: 0,
        "aria-label": trans.__(
          "Live bytes by category over time. Left and right move through the samples, Home and End go to the edges, Escape returns to now.",
        ),
      },
      this._canvas,
    );
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    this.node.addEventListener("pointermove", (event) => this.onPointer(event));
    this.node.addEventListener("pointerleave", () => this.setCursor(null));
    this.node.addEventListener("blur", () => this.setCursor(null));
    this._resizer.observe(this.node);
  }

  readonly node: HTMLElement;

  /** The instant under the pointer or chosen by keys; null for "now". */
  get cursor(): Instant | null {
    return this._cursor;
  }

  /** The last instant before `freeze`. */
  get frozen(): Instant | null {
    return this._frozen;
  }

  dispose(): void {
    this._resizer.disconnect();
    cancelAnimationFrame(this._frame);
    window.clearTimeout(this._timer);
    window.clearTimeout(this._clock);
  }

  /** What to draw from now on; `moving` lets the right edge follow the clock. */
  show(history: MemoryHistory | null, device: string, seconds: number, units: ByteUnits, moving: boolean): void {
    if (history !== this._history) {
      this._cursor = null;
    }
    this._history = history;
    this._device = device;
    this._seconds = seconds;
    this._units = units;
    this._moving = moving;
    this.requestDraw();
  }

  freeze(frozen: boolean): void {
    this._frozen = frozen ? (this._history?.latest ?? null) : null;
    this.requestDraw();
  }

  resize(): void {
    this.requestDraw();
  }

  /** Read the colours again, after a change of theme. */
  recolour(): void {
    this._colours = null;
    this.requestDraw();
  }

  /** Draw on a coming frame, ten times a second at most, and not while hidden. */
  requestDraw(): void {
    if (this._timer !== 0) {
      return;
    }
    const wait = Math.max(0, this._drawn + FRAME_MS - performance.now());
    this._timer = window.setTimeout(() => {
      this._frame = requestAnimationFrame((now) => {
        this._timer = 0;
        this._drawn = now;
        this.drawNow();
      });
    }, wait);
  }

  private drawNow(): void {
    const width = this.node.clientWidth;
    const height = this.node.clientHeight;
    const ctx = this._canvas.getContext("2d");
    if (!ctx || width < 80 || height < 60 || document.hidden) {
      return;
    }
    const ratio = window.devicePixelRatio || 1;
    this._canvas.width = Math.round(width * ratio);
    this._canvas.height = Math.round(height * ratio);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw(ctx, this.view(), this.colours(), width, height);
    window.clearTimeout(this._clock);
    if (this._moving && !this._frozen) {
      this._clock = window.setTimeout(() => this.requestDraw(), CLOCK_MS);
    }
  }

  private view(): ChartView {
    const instants = this._history?.instants ?? [];
    const latest = this._frozen ?? this._history?.latest;
    const to = latest && (this._frozen || !this._moving) ? latest.time : Math.max(Date.now(), latest?.time ?? 0);
    const first = this._history?.instants[0]?.time ?? to;
    return {
      instants: this._frozen ? instants.filter((instant) => instant.time <= to) : instants,
      device: this._device,
      from: Math.max(to - this._seconds * 1000, Math.min(first, to - SHORTEST_MS)),
      to,
      cursor: this._cursor,
      units: this._units,
    };
  }

  private colours(): ChartColours {
    if (!this._colours) {
      const style = getComputedStyle(this.node);
      this._colours = {
        ...themeColours(this.node),
        categories: categoryColours(this.node),
        cellBand: style.getPropertyValue("--nl-cell-band").trim(),
      };
    }
    return this._colours;
  }

  private onPointer(event: PointerEvent): void {
    const view = this.view();
    const at = scales(view, this.node.clientWidth, this.node.clientHeight);
    const time = at.time(event.clientX - this.node.getBoundingClientRect().left);
    const inside = view.instants.filter((instant) => instant.time >= view.from && instant.time <= view.to);
    this.setCursor(inside.findLast((instant) => instant.time <= time) ?? inside[0] ?? null);
  }

  private onKey(event: KeyboardEvent): void {
    const view = this.view();
    const inside = view.instants.filter((instant) => instant.time >= view.from && instant.time <= view.to);
    const here = this._cursor ? inside.indexOf(this._cursor) : inside.length - 1;
    const step = event.shiftKey ? 10 : 1;
    const targets: Record<string, number | null> = {
      ArrowLeft: Math.max(here - step, 0),
      ArrowRight: Math.min(here + step, inside.length - 1),
      Home: 0,
      End: inside.length - 1,
      Escape: null,
    };
    if (event.key in targets) {
      const target = targets[event.key] ?? null;
      this.setCursor(target === null ? null : (inside[target] ?? null));
      event.preventDefault();
      event.stopPropagation();
    }
  }

  private setCursor(instant: Instant | null): void {
    if (instant !== this._cursor) {
      this._cursor = instant;
      this.requestDraw();
      this.onCursor();
    }
  }

  private _canvas = element("canvas", { "aria-hidden": "true" });
  private _clock = 0;
  private _colours: ChartColours | null = null;
  private _cursor: Instant | null = null;
  private _device = "cpu";
  private _drawn = 0;
  private _frame = 0;
  private _frozen: Instant | null = null;
  private _history: MemoryHistory | null = null;
  private _moving = true;
  private _resizer = new ResizeObserver(() => this.requestDraw());
  private _seconds = 120;
  private _timer = 0;
  private _units: ByteUnits = "binary";
}
