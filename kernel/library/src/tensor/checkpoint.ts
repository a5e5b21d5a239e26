import { backwardThrough, record, type BackwardArguments, type OpSignature } from "./autograd.js";
import { isRecording, scope } from "./scope.js";
import type { Tensor } from "./tensor.js";

interface Signature extends OpSignature {
  readonly options: { readonly fn: (...inputs: Tensor[]) => Tensor; readonly count: number };
}

/**
 * `fn(…inputs)` whose tape is thrown away: its inputs alone are kept, and its gradient runs it again (Chen et al. 2016). The
 * numbers are the same as without, bit for bit, as long as `fn` computes the same both times. Parameters that `fn` uses train
 * as always. Dropout inside draws the same elements as long as its seed and offset are chosen outside.
 *
 * @param inputs what flows in and may want a gradient; everything else that `fn` uses must still be there at `backward`
 * @throws {UnsupportedError} at `backward`, if `fn` used a result from outside that wants a gradient
 * @example
 * const y = checkpoint((x) => block.forward(x, pass), x);
 */
export function checkpoint<A extends readonly Tensor[]>(fn: (...inputs: A) => Tensor, ...inputs: A): Tensor {
  if (!isRecording()) return scope(() => fn(...inputs));
  let differentiable = false;
  const output = scope(() => {
    const y = fn(...inputs);
    differentiable = y.requiresGrad;
    return y.alias();
  });
  if (differentiable) {
    const named = Object.fromEntries(inputs.map((input, i) => [String(i), input]));
    const wanted = Object.fromEntries(inputs.map((input, i) => [String(i), input.requiresGrad]));
    const options = { fn: fn as unknown as (...inputs: Tensor[]) => Tensor, count: inputs.length };
    record("checkpoint", { backward: again }, named, options, wanted, output, named);
  }
  return output;
}

function again({ dy, saved, options: { fn, count }, wanted }: BackwardArguments<Signature>): Record<string, Tensor> {
  const inputs = Array.from({ length: count }, (_, i) => saved[String(i)]!.alias());
  const leaves = inputs.filter((_, i) => wanted[String(i)]);
  for (const leaf of leaves) leaf.asLeaf();
  backwardThrough(() => fn(...inputs), dy, new Set(leaves));
  const gradients = inputs.flatMap(({ grad }, i) => (grad === null ? [] : [[String(i), grad.alias()] as const]));
  return Object.fromEntries(gradients);
}
