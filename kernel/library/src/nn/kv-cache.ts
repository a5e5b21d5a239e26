import { cacheRead, cacheWrite } from "../tensor/kernels.js";
import { keep } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** Keys and values of the positions seen so far, per layer: [batch, capacity, width] f32 each. Whoever makes it disposes of it. */
export class KvCache {
  private readonly keys: Tensor[];
  private readonly values: Tensor[];

  constructor(layers: number, batch: number, capacity: number, width: number, device: string) {
    const empty = () => keep(Tensor.zeros([batch, capacity, width], { category: "cache", owner: "KvCache", device }));
    this.keys = Array.from({ length: layers }, empty);
    this.values = Array.from({ length: layers }, empty);
  }

  /** Writes k and v [batch·n, width] at `position` and gives all up to them: [batch·(position + n), width]. */
  extend(layer: number, k: Tensor, v: Tensor, position: number, length: number): { k: Tensor; v: Tensor } {
    const [keys, values] = [this.keys[layer]!, this.values[layer]!];
    cacheWrite(keys, k, position);
    cacheWrite(values, v, position);
    return { k: cacheRead(keys, position + length), v: cacheRead(values, position + length) };
  }

  dispose(): void {
    for (const tensor of [...this.keys, ...this.values]) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
