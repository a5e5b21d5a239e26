import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../errors.js";
import { IGNORED, type LanguageModel } from "../models/model.js";
import { crossEntropy } from "../tensor/kernels.js";
import { noGrad, scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** A text, and what may follow it. */
export interface Continuation {
  readonly prompt: string;
  readonly text: string;
}
interface Row {
  readonly index: number;
  readonly ids: readonly number[];
  /** The first id of the continuation. */
  readonly from: number;
}

const TOKENS_AT_ONCE = 2048;

/**
 * The log-probability of each text after its prompt, in nats: Σ log p(token | prompt, tokens before). The prompt begins as the
 * checkpoint's texts do; one that is longer than the model's positions loses its beginning.
 */
export async function logLikelihoods(
  model: LanguageModel,
  continuations: readonly Continuation[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<number[]> {
  const rows = continuations
    .map((each, index) => rowOf(model, each, index))
    .sort((a, b) => a.ids.length - b.ids.length);
  const result = new Array<number>(continuations.length).fill(0);
  for (let start = 0, end: number; start < rows.length; start = end) {
    end = start + 1;
    while (end < rows.length && (end + 1 - start) * rows[end]!.ids.length <= TOKENS_AT_ONCE) end++;
    const batch = rows.slice(start, end);
    lossesOf(model, batch).forEach((loss, i) => (result[batch[i]!.index] = -loss));
    await setImmediate();
    throwIfAborted("logLikelihoods", options.signal);
  }
  return result;
}

function rowOf(model: LanguageModel, { prompt, text }: Continuation, index: number): Row {
  const before = model.tokenizer.encode(prompt);
  const ids = [...before, ...model.tokenizer.encode(text, { bos: false })];
  const cut = Math.max(0, ids.length - model.config.maxPositions);
  return { index, ids: ids.slice(cut), from: Math.max(1, before.length - cut) };
}

/** Rows are filled up behind their end, where nothing before it looks. */
function lossesOf(model: LanguageModel, rows: readonly Row[]): number[] {
  const length = rows.at(-1)!.ids.length;
  const tokens = new Int32Array(rows.length * length);
  const targets = new Int32Array(rows.length * length).fill(IGNORED);
  rows.forEach(({ ids, from }, row) => {
    tokens.set(ids, row * length);
    for (let at = from; at < ids.length; at++) targets[row * length + at - 1] = ids[at]!;
  });
  return noGrad(() =>
    scope(() => {
      const x = model.hidden(tokens, rows.length, null, "logLikelihoods");
      const { tokenLosses } = crossEntropy(x, model.network.outputWeight(), Tensor.from(targets), {
        ignoreIndex: IGNORED,
        precision: model.precision,
        wantTokenLosses: true,
      });
      const losses = tokenLosses!.arraySync() as Float32Array;
      return rows.map((_, row) => losses.subarray(row * length, (row + 1) * length).reduce((a, b) => a + b, 0));
    }),
  );
}
