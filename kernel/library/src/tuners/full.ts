import { UnsupportedError } from "../errors.js";
import { DenseWeight } from "../nn/linear.js";
import { defineTuner } from "./tuner.js";

/** `full` has no options of its own. */
export type FullOptions = Readonly<Record<never, never>>;

const LEARNING_RATE = 1e-3;

/** Every weight of the model trains: embedding, norms and all. */
export const full = defineTuner<FullOptions>({
  name: "full",
  rules: {},
  takesTargets: false,
  learningRate: () => LEARNING_RATE,
  describe: () => "every weight trains",
  check: ({ layers }) => {
    for (const [name, { weight }] of layers) {
      if (weight instanceof DenseWeight) continue;
      throw new UnsupportedError(
        "tune",
        `full trains dense weights, but ${name} is stored as ${weight.description}. ` +
          `Tune the full-precision model, or use { method: "peqa" } or { method: "lora" }.`,
        { layer: name },
      );
    }
  },
  attach: ({ parameters }) => {
    for (const [, tensor] of parameters()) tensor.requiresGrad = true;
  },
});
