import { display, formatCount, inspect, tableBundle, type Displayable, type MimeBundle } from "../../display.js";
import type { Linear, LinearAdapter } from "../../nn/linear.js";
import { Sharing, type TensorHolder } from "../../nn/module.js";
import { PackedWeight } from "../../quantization/packed-weight.js";
import type { ScaleAdapter } from "../../quantization/scale-adapter.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Tuning } from "../tuner.js";

/** What stands at one layer: thin matrices beside the weight, a change of its grid, or both. */
export interface LayerAdapter {
  readonly beside: LinearAdapter | null;
  readonly scales: ScaleAdapter | null;
}
type Layers = Iterable<readonly [string, Linear]>;

/** All that tuners added to a model's layers, as one thing that is taken off, kept and put on again. */
export class Adapter implements TensorHolder, Displayable {
  constructor(
    readonly layers: ReadonlyMap<string, LayerAdapter>,
    /** What of it trains; null where nothing does. */
    public tuning: Tuning | null = null,
  ) {}

  /** What is on these layers now. */
  static on(layers: Layers, tuning: Tuning | null = null): Adapter {
    const found = new Map<string, LayerAdapter>();
    for (const [name, { adapter: beside, weight }] of layers) {
      const scales = weight instanceof PackedWeight ? weight.adapter : null;
      if (beside !== null || scales !== null) found.set(name, { beside, scales });
    }
    return new Adapter(found, tuning);
  }

  /** The same as it stands on the layers of a fork, whose own they are. */
  over(layers: Layers): Adapter {
    return Adapter.on(layers, this.tuning);
  }

  /** Puts it on the layers that it names, and takes what was on the others off. */
  putOn(layers: Layers): void {
    for (const [name, linear] of layers) {
      const { beside = null, scales = null } = this.layers.get(name) ?? {};
      linear.adapter = beside;
      if (linear.weight instanceof PackedWeight) linear.weight.adapter = scales;
    }
  }

  *namedTensors(): Generator<[string, Tensor]> {
    for (const [name, { beside, scales }] of this.layers) {
      for (const holder of [beside, scales]) {
        for (const [part, tensor] of holder?.namedTensors() ?? []) yield [`${name}.${part}`, tensor];
      }
    }
  }
  share(shared = new Sharing()): Adapter {
    const layers = [...this.layers].map(([name, { beside, scales }]): [string, LayerAdapter] => [
      name,
      { beside: beside?.share(shared) ?? null, scales: scales?.share(shared) ?? null },
    ]);
    return new Adapter(new Map(layers), this.tuning);
  }
  dispose(): void {
    for (const [, tensor] of this.namedTensors()) tensor.dispose();
  }

  toString(): string {
    const count = [...this.namedTensors()].reduce((sum, [, { size }]) => sum + size, 0);
    return `adapter on ${this.layers.size} layers, ${formatCount(count)} numbers${this.tuning === null ? "" : ", trains"}`;
  }
  [display](): MimeBundle {
    return tableBundle({
      title: this.toString(),
      columns: ["layer", "adapter"],
      rows: [...this.layers].map(([name, { beside, scales }]) => [
        name,
        [beside, scales].flatMap((holder) => holder?.description ?? []).join(", "),
      ]),
    });
  }
  [inspect](): string {
    return this[display]()["text/plain"];
  }
}
