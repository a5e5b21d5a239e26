import { display, formatBytes, inspect, tableBundle, type Displayable, type MimeBundle } from "../display.js";

/** What quantizing one layer cost and gave. */
export interface LayerQuantization {
  readonly layer: string;
  /** For example "int2, a scale a row". */
  readonly format: string;
  /** Bits a weight, all that decoding reads counted. */
  readonly bits: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** √(Σ(W − Ŵ)² / ΣW²). */
  readonly weightError: number;
  /** √(Σ(X·Ŵᵀ − X·Wᵀ)² / Σ(X·Wᵀ)²) over the calibration tokens, from H = XᵀX: √(tr(ΔHΔᵀ)/tr(WHWᵀ)); null without calibration. */
  readonly outputError: number | null;
  readonly milliseconds: number;
  /** What the method chose for this layer, for example "damping 0.01"; often empty. */
  readonly note: string;
}

/** What a quantization was calibrated with. */
export interface CalibrationSummary {
  readonly tokens: number;
  /** Whether a layer's inputs X came from the model as it was, or from behind the layers that were quantized before it. */
  readonly inputs: "exact" | "quantized";
}

/** What `quantize` did, layer by layer; shows itself as a table. */
export class QuantizationReport implements Displayable {
  constructor(
    /** The quantizer's name. */
    readonly method: string,
    /** For people, with the options that matter. */
    readonly description: string,
    readonly layers: readonly LayerQuantization[],
    /** Names of the layers that could have been quantized and were left as they were. */
    readonly excluded: readonly string[],
    readonly calibration: CalibrationSummary | null,
    /** `method` and its own options, `overrides` and `preprocess`: what quantizes other weights in the same way. */
    readonly options: Readonly<Record<string, unknown>> | null = null,
  ) {}

  /** Of the quantized layers alone. */
  get bytesBefore(): number {
    return this.layers.reduce((sum, layer) => sum + layer.bytesBefore, 0);
  }
  get bytesAfter(): number {
    return this.layers.reduce((sum, layer) => sum + layer.bytesAfter, 0);
  }

  toString(): string {
    const change = `${formatBytes(this.bytesBefore)} → ${formatBytes(this.bytesAfter)}`;
    return `${this.method}: ${this.description}; ${this.layers.length} layers, ${change}`;
  }

  [display](): MimeBundle {
    const withOutput = this.calibration !== null;
    const withNotes = this.layers.some(({ note }) => note !== "");
    return tableBundle({
      title: this.toString(),
      columns: [
        "layer",
        "format",
        "bits",
        "bytes",
        "weight error",
        ...(withOutput ? ["output error"] : []),
        "time",
        ...(withNotes ? ["chosen"] : []),
      ],
      rows: this.layers.map((layer) => [
        layer.layer,
        layer.format,
        layer.bits.toFixed(2),
        `${formatBytes(layer.bytesBefore)} → ${formatBytes(layer.bytesAfter)}`,
        layer.weightError.toFixed(4),
        ...(layer.outputError === null ? [] : [layer.outputError.toFixed(4)]),
        `${layer.milliseconds.toFixed(1)} ms`,
        ...(withNotes ? [layer.note] : []),
      ]),
      note: this.note(),
    });
  }
  [inspect](): string {
    return this[display]()["text/plain"];
  }

  private note(): string {
    const kept = ["the embedding", "the output layer", "the norms", ...this.excluded].join(", ");
    return `Weight error √(Σ(W−Ŵ)²/ΣW²)${this.outputNote()}. Kept in f32: ${kept}.`;
  }
  private outputNote(): string {
    if (this.calibration === null) return "";
    const { tokens, inputs } = this.calibration;
    const where =
      inputs === "exact" ? "the inputs of the model before" : "the inputs behind the layers quantized before";
    return `, output error √(Σ(XŴᵀ−XWᵀ)²/Σ(XWᵀ)²) over ${tokens} calibration tokens with ${where}`;
  }
}
