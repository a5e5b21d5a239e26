import { Tensor, type LayerInputs } from "nibble-lab";
import { gram } from "../../reference/gptq.js";

/** Inputs of a layer as `quantize` gives them to a method; `using` frees them. */
export interface TestInputs extends LayerInputs, Disposable {}

/** @param values x [n, width], or H [width, width] itself */
export function inputsOf(values: Float32Array, width: number, { isGram = false } = {}): TestInputs {
  const h = isGram ? values : Float32Array.from(gram(values, width));
  const tensor = Tensor.from(h, [width, width]);
  const made = new Map<string, object>();
  return {
    gram: tensor,
    job: {},
    async share<T extends object>(key: string, make: () => Promise<T>): Promise<T> {
      const value = (made.get(key) as T | undefined) ?? (await make());
      made.set(key, value);
      return value;
    },
    [Symbol.dispose]() {
      tensor.dispose();
      for (const value of made.values())
        for (const part of Object.values(value)) if (part instanceof Tensor) part.dispose();
    },
  };
}
