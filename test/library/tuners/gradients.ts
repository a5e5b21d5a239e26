import { backward, noGrad, scope, type LanguageModel } from "nibble-lab";
import { tinyTokens } from "../tiny-model.js";

const LENGTH = 12;

function batch() {
  const tokens = tinyTokens(2 * LENGTH + 1);
  return { tokens: tokens.slice(0, 2 * LENGTH), targets: tokens.slice(1), batch: 2 };
}

/** The loss of two rows. */
export function lossOf(model: LanguageModel): number {
  return noGrad(() => scope(() => model.loss(batch()).item()));
}

/**
 * Each trainable parameter's gradient along a fixed direction, by backward and by central differences of the whole model.
 * A directional derivative is used, because f32 losses are too coarse for single entries.
 */
export function* gradientPairs(
  model: LanguageModel,
  step: number,
): Generator<{ name: string; tape: number; difference: number }> {
  scope(() => backward(model.loss(batch())));
  for (const [name, tensor] of model.trainableParameters()) {
    const start = Float32Array.from(tensor.arraySync());
    const gradient = tensor.grad!.arraySync();
    const direction = Array.from(start, (_, i) => Math.cos(1.7 * i + 0.3) / Math.sqrt(start.length));
    // Along its own gradient the derivative cannot vanish.
    const norm = Math.hypot(...gradient);
    const mixed = direction.map((value, i) => value + gradient[i]! / norm);
    const at = (sign: number) => {
      tensor.write(Float32Array.from(start, (value, i) => value + sign * step * mixed[i]!));
      return lossOf(model);
    };
    const difference = (at(1) - at(-1)) / (2 * step);
    tensor.write(start);
    yield { name, tape: mixed.reduce((sum, value, i) => sum + value * gradient[i]!, 0), difference };
    tensor.clearGrad();
  }
}
