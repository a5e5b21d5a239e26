import { display, inspect, tableBundle, type Displayable, type MimeBundle } from "../../display.js";

/** How near one layer is to the original, W being its weight and X its inputs over the calibration tokens. */
export interface LayerInitialization {
  readonly layer: string;
  readonly rank: number;
  /** √(Σ(W − Ŵ)² / ΣW²) of the weight alone, before; null where no original was needed. */
  readonly weightErrorBefore: number | null;
  /** The same with the adapter: Ŵ + scaling·B·A. */
  readonly weightError: number | null;
  /** √(Σ(X·(W − Ŵ)ᵀ)² / Σ(X·Wᵀ)²) of the weight alone, before; null without calibration. */
  readonly outputErrorBefore: number | null;
  readonly outputError: number | null;
  /** What the method's theory says that `outputError` is; null where it says nothing. */
  readonly predicted: number | null;
}

/** What `initialize` did, layer by layer; shows itself as a table. */
export class InitializationReport implements Displayable {
  constructor(
    /** The initializer's name. */
    readonly method: string,
    readonly description: string,
    readonly layers: readonly LayerInitialization[],
    readonly calibrationTokens: number | null,
  ) {}

  toString(): string {
    return `${this.method}: ${this.description}; ${this.layers.length} adapters`;
  }
  [display](): MimeBundle {
    const columns = ["weight error", "output error", "predicted"] as const;
    const shown = columns.filter((_, i) => this.layers.some((layer) => cells(layer)[i] !== null));
    return tableBundle({
      title: this.toString(),
      columns: ["layer", "rank", ...shown],
      rows: this.layers.map((layer) => [
        layer.layer,
        layer.rank,
        ...cells(layer).flatMap((cell, i) => (shown.includes(columns[i]!) ? [cell ?? "–"] : [])),
      ]),
      note: this.note(),
    });
  }
  [inspect](): string {
    return this[display]()["text/plain"];
  }

  private note(): string {
    const output =
      this.calibrationTokens === null
        ? ""
        : `; output error √(Σ(X(W−Ŵ)ᵀ)²/Σ(XWᵀ)²) over ${this.calibrationTokens} calibration tokens, X coming from the blocks below as they are now`;
    return `Weight error √(Σ(W−Ŵ)²/ΣW²)${output}; of the weight alone → with its adapter.`;
  }
}

function cells(layer: LayerInitialization): (string | null)[] {
  const change = (before: number | null, after: number | null) =>
    before === null || after === null ? null : `${before.toFixed(4)} → ${after.toFixed(4)}`;
  return [
    change(layer.weightErrorBefore, layer.weightError),
    change(layer.outputErrorBefore, layer.outputError),
    layer.predicted === null ? null : layer.predicted.toFixed(4),
  ];
}
