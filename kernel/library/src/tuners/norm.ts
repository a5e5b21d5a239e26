import { UnsupportedError } from "../errors.js";
import { defineTuner } from "./tuner.js";

/** `norm` has no options of its own. */
export type NormOptions = Readonly<Record<never, never>>;

const LEARNING_RATE = 1e-2;
/** A dotted name with a part that ends in "norm": `blocks.0.attentionNorm.weight`. */
const NORM = /norm\.[^.]+$/i;

/** Only the normalization layers' weights train, over dense or quantized layers (Zhao et al. 2023, arXiv 2312.11420). */
export const norm = defineTuner<NormOptions>({
  name: "norm",
  rules: {},
  takesTargets: false,
  learningRate: () => LEARNING_RATE,
  describe: () => "the norms' weights train; all else stays",
  check: ({ parameters }) => {
    if ([...parameters()].some(([name]) => NORM.test(name))) return;
    throw new UnsupportedError("tune", `The model has no normalization layers. Choose another tuner.`);
  },
  attach: ({ parameters }) => {
    for (const [name, tensor] of parameters()) if (NORM.test(name)) tensor.requiresGrad = true;
  },
});
