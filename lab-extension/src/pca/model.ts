import type { PcaComparison } from "@nibble-lab/messages";
import { Signal, type ISignal } from "@lumino/signaling";
import type { IKernelFeed, IReceived } from "../tokens.js";

/** Left: the first model, in whose basis both are drawn; right: the second. */
export type Side = 0 | 1;

export const COLOURINGS = ["prompt", "token", "position", "displacement"] as const;
export type Colouring = (typeof COLOURINGS)[number];

/** Comparisons that can be gone back to. */
const KEPT = 8;

/** A kernel repeats its latest comparison to a panel that has just connected; what comes later is news. */
const WELCOME_MS = 2_000;

/** One comparison with its coordinates. */
export class Comparison {
  /** @param coordinates [layers, 2, points, components], row-major */
  constructor(
    readonly meta: PcaComparison,
    private readonly coordinates: Float32Array,
  ) {
    const { layers, points, components } = meta;
    const expected = layers.length * 2 * points * components;
    if (coordinates.length !== expected) {
      throw new RangeError(
        `[pca] ${coordinates.length} coordinates came. ${layers.length} layers × 2 models × ${points} points × ${components} components need ${expected}.`,
      );
    }
    this.positions = positionsWithin(meta.promptOf);
  }

  /** Place of each point within its prompt, from 0. */
  readonly positions: readonly number[];

  at(layer: number, side: Side, point: number, component: number): number {
    const { points, components } = this.meta;
    return this.coordinates[((layer * 2 + side) * points + point) * components + component] ?? NaN;
  }

  /** One component of every point. */
  axis(layer: number, side: Side, component: number): Float32Array {
    return Float32Array.from({ length: this.meta.points }, (_, point) => this.at(layer, side, point, component));
  }

  /** Lowest and highest value of a component over both models and the given layers, with 6 % of room on each side. */
  range(layers: readonly number[], component: number): [number, number] {
    let low = Infinity;
    let high = -Infinity;
    for (const layer of layers) {
      for (const side of [0, 1] as const) {
        for (const value of this.axis(layer, side, component)) {
          if (Number.isFinite(value)) {
            low = Math.min(low, value);
            high = Math.max(high, value);
          }
        }
      }
    }
    if (low > high) {
      return [-1, 1];
    }
    const room = (high - low) * 0.06 || Math.abs(high) * 0.06 || 1;
    return [low - room, high + room];
  }

  /** How far each point lies from its place in the first model, over all components sent. */
  moved(layer: number): Float32Array {
    return Float32Array.from({ length: this.meta.points }, (_, point) => {
      let squares = 0;
      for (let component = 0; component < this.meta.components; component++) {
        squares += (this.at(layer, 1, point, component) - this.at(layer, 0, point, component)) ** 2;
      }
      return Math.sqrt(squares);
    });
  }

  /** The `count` points that moved furthest, furthest first. */
  mostMoved(layer: number, count: number): { point: number; distance: number }[] {
    return Array.from(this.moved(layer), (distance, point) => ({ point, distance }))
      .sort((a, b) => b.distance - a.distance)
      .slice(0, count);
  }

  promptOf(point: number): string {
    return this.meta.prompts[this.meta.promptOf[point] ?? -1] ?? "";
  }
}

function positionsWithin(promptOf: readonly number[]): number[] {
  const seen = new Map<number, number>();
  return promptOf.map((prompt) => {
    const position = seen.get(prompt) ?? 0;
    seen.set(prompt, position + 1);
    return position;
  });
}

/** What the PCA panel shows: the comparisons met, and the view onto one of them. */
export class PcaModel {
  constructor(feed: IKernelFeed) {
    feed.received.connect(this.onReceived, this);
  }

  /** A cell has just compared two models. */
  get arrived(): ISignal<this, void> {
    return this._arrived;
  }

  /** Something that needs a new picture. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Only the highlighted point is another one. */
  get highlightChanged(): ISignal<this, void> {
    return this._highlightChanged;
  }

  /** Newest first. */
  get comparisons(): readonly Comparison[] {
    return this._comparisons;
  }

  get current(): Comparison | null {
    return this._current;
  }

  get layer(): number {
    return this._layer;
  }

  /** Components on the horizontal and the vertical axis. */
  get axes(): readonly [number, number] {
    return this._axes;
  }

  get colouring(): Colouring {
    return this._colouring;
  }

  /** Whether every layer is drawn with the same ranges. */
  get isSameScale(): boolean {
    return this._isSameScale;
  }

  get highlight(): number | null {
    return this._highlight;
  }

  /** Why the last comparison that came cannot be shown. */
  get problem(): string | null {
    return this._problem;
  }

  /** The range of each axis, the same for both models. */
  get ranges(): [[number, number], [number, number]] {
    const current = this._current;
    if (!current) {
      return [
        [-1, 1],
        [-1, 1],
      ];
    }
    const layers = this._isSameScale ? current.meta.layers.map((_, layer) => layer) : [this._layer];
    return [current.range(layers, this._axes[0]), current.range(layers, this._axes[1])];
  }

  show(comparison: Comparison): void {
    this._current = comparison;
    const { layers, components } = comparison.meta;
    this._layer = Math.min(this._layer, layers.length - 1);
    if (Math.max(...this._axes) >= components) {
      this._axes = [0, Math.min(1, components - 1)];
    }
    this._highlight = null;
    this._changed.emit();
  }

  /** Values outside the layers go to the nearest one. */
  setLayer(layer: number): void {
    const last = (this._current?.meta.layers.length ?? 1) - 1;
    this.change(() => (this._layer = Math.max(0, Math.min(last, layer))));
  }

  setAxis(which: 0 | 1, component: number): void {
    this.change(() => (this._axes = which === 0 ? [component, this._axes[1]] : [this._axes[0], component]));
  }

  setColouring(colouring: Colouring): void {
    this.change(() => (this._colouring = colouring));
  }

  setSameScale(isSameScale: boolean): void {
    this.change(() => (this._isSameScale = isSameScale));
  }

  setHighlight(point: number | null): void {
    if (point !== this._highlight) {
      this._highlight = point;
      this._highlightChanged.emit();
    }
  }

  private change(set: () => void): void {
    set();
    this._changed.emit();
  }

  private onReceived(_: IKernelFeed, { message, buffers }: IReceived): void {
    if (message.kind === "hello") {
      this._greeted = Date.now();
    }
    if (message.kind !== "pca.comparison") {
      return;
    }
    try {
      const comparison = new Comparison(message, new Float32Array(buffers[0] ?? new ArrayBuffer(0)));
      const isFirst = this._comparisons.length === 0;
      this._problem = null;
      this._comparisons = [comparison, ...this._comparisons.filter(({ meta }) => meta.id !== message.id)].slice(
        0,
        KEPT,
      );
      if (isFirst) {
        this._layer = Math.floor((message.layers.length - 1) / 2);
      }
      this.show(comparison);
      if (Date.now() - this._greeted > WELCOME_MS) {
        this._arrived.emit();
      }
    } catch (error) {
      this._problem = error instanceof Error ? error.message : String(error);
      this._changed.emit();
    }
  }

  private _arrived = new Signal<this, void>(this);
  private _axes: readonly [number, number] = [0, 1];
  private _changed = new Signal<this, void>(this);
  private _colouring: Colouring = "prompt";
  private _comparisons: readonly Comparison[] = [];
  private _current: Comparison | null = null;
  private _greeted = 0;
  private _highlight: number | null = null;
  private _highlightChanged = new Signal<this, void>(this);
  private _isSameScale = false;
  private _layer = 0;
  private _problem: string | null = null;
}
