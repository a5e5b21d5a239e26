import { display, inspect, tableBundle, type Displayable, type MimeBundle } from "../display.js";
import type { PcaComparisonMeta } from "../events.js";
import { comparisonFigure, comparisonSvg } from "./figure.js";

/** Activations of two models in one basis per layer; shows both, side by side, with a slider over the layers. */
export class PcaComparison implements Displayable {
  constructor(
    readonly meta: PcaComparisonMeta,
    /** [layers, 2, points, components], row-major */
    readonly coordinates: Float32Array,
  ) {}

  get layers(): readonly string[] {
    return this.meta.layers;
  }
  /** Mean distance between the two models' activations ÷ the first's mean norm from its centre, by layer. */
  get displacement(): readonly number[] {
    return this.meta.displacement;
  }
  /** Share of the first model's variance by component: [layers][components]. */
  get explained(): readonly (readonly number[])[] {
    return this.meta.explained;
  }

  /** Coordinates [points, components] of one model (0 or 1) at one layer. */
  at(layer: number, model: 0 | 1): Float32Array {
    const size = this.meta.points * this.meta.components;
    const start = (layer * 2 + model) * size;
    return this.coordinates.subarray(start, start + size);
  }

  [display](): MimeBundle {
    const { meta } = this;
    const middle = Math.floor(meta.layers.length / 2);
    const table = tableBundle({
      title: `PCA: ${meta.models[0]} and ${meta.models[1]} in one basis`,
      columns: ["layer", ...Array.from({ length: meta.components }, (_, i) => `PC${i + 1}`), "displacement"],
      rows: meta.layers.map((name, layer) => [
        name,
        ...meta.explained[layer]!.map((share) => `${(100 * share).toFixed(1)} %`),
        meta.displacement[layer]!.toFixed(4),
      ]),
      note:
        `${meta.points} points (${meta.sampled.method}, ${meta.sampled.from} in all, seed ${meta.sampled.seed}); components fitted on the first model, their share of its ` +
        "variance; displacement = mean distance between the two ÷ the first's mean norm from its centre.",
    });
    return {
      "text/plain": table["text/plain"],
      "text/html": `<div>${comparisonSvg(this, middle)}${String(table["text/html"])}</div>`,
      "application/vnd.plotly.v1+json": comparisonFigure(this, middle),
    };
  }
  [inspect](): string {
    return this[display]()["text/plain"];
  }
}
