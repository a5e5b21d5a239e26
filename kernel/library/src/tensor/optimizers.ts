import type {
  AdamWOptions as NativeAdamW,
  LionOptions as NativeLion,
  MuonOptions as NativeMuon,
  SgdOptions as NativeSgd,
} from "@nibble-lab/native";
import { native } from "./native.js";
import type { Tensor } from "./tensor.js";

// One fused step over many parameters each, in place. Shapes and numbers are checked before the first is changed.

/** A parameter that moves, with its gradient and its states by name. */
interface Entry {
  readonly tensor: Tensor;
  readonly grad: Tensor;
  readonly states: Readonly<Record<string, Tensor>>;
}
interface Update {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly gradientScale: number;
  readonly step: number;
}
type Own<O, K extends string = never> = Readonly<Omit<O, "learningRate" | "weightDecay" | "gradientScale" | K>>;

/** Elements that share a scale in the moments of `adamw8bitStep`. */
export const EIGHT_BIT_BLOCK = 256;

const handles = (tensors: readonly Tensor[]) => tensors.map(({ handle }) => handle);
const parametersOf = (entries: readonly Entry[]) => handles(entries.map(({ tensor }) => tensor));
const gradientsOf = (entries: readonly Entry[]) => handles(entries.map(({ grad }) => grad));
const statesOf = (entries: readonly Entry[], name: string) => handles(entries.map(({ states }) => states[name]!));

/** What every step takes. */
function rates({ learningRate, weightDecay, gradientScale }: Update) {
  return { learningRate, weightDecay, gradientScale };
}
function touch(entries: readonly Entry[]): void {
  for (const { tensor, states } of entries) for (const changed of [tensor, ...Object.values(states)]) changed.touched();
}

/** AdamW; states `first` and `second`. */
export function adamwStep(entries: readonly Entry[], update: Update, options: Own<NativeAdamW, "step">): void {
  const { beta1, beta2, epsilon } = options;
  const [first, second] = [statesOf(entries, "first"), statesOf(entries, "second")];
  native.adamwStep(parametersOf(entries), gradientsOf(entries), first, second, { ...update, beta1, beta2, epsilon });
  touch(entries);
}

/** AdamW with moments of eight bits; states `first`, `firstScales`, `second`, `secondScales`. */
export function adamw8bitStep(entries: readonly Entry[], update: Update, options: Own<NativeAdamW, "step">): void {
  const { beta1, beta2, epsilon } = options;
  const moment = (name: string) => ({ codes: statesOf(entries, name), scales: statesOf(entries, `${name}Scales`) });
  const numbers = { ...update, beta1, beta2, epsilon };
  native.adamw8BitStep(parametersOf(entries), gradientsOf(entries), moment("first"), moment("second"), numbers);
  touch(entries);
}

/** Lion; state `momentum`. */
export function lionStep(entries: readonly Entry[], update: Update, { beta1, beta2 }: Own<NativeLion>): void {
  const momentum = statesOf(entries, "momentum");
  native.lionStep(parametersOf(entries), gradientsOf(entries), momentum, { ...rates(update), beta1, beta2 });
  touch(entries);
}

/** Gradient descent; state `momentum` where there is one. */
export function sgdStep(entries: readonly Entry[], update: Update, { momentum, nesterov }: Own<NativeSgd>): void {
  const states = momentum > 0 ? statesOf(entries, "momentum") : [];
  native.sgdStep(parametersOf(entries), gradientsOf(entries), states, { ...rates(update), momentum, nesterov });
  touch(entries);
}

/** Muon; state `momentum`, matrices only. */
export function muonStep(entries: readonly Entry[], update: Update, options: Own<NativeMuon>): void {
  const { momentum, nesterov, adjust } = options;
  const states = statesOf(entries, "momentum");
  native.muonStep(parametersOf(entries), gradientsOf(entries), states, {
    ...rates(update),
    momentum,
    nesterov,
    adjust,
  });
  touch(entries);
}
