import { display, inspect, tableBundle, type MimeBundle } from "../display.js";
import { events } from "../events.js";
import { IGNORED, type LanguageModel } from "../models/model.js";
import { OptionError, throwIfAborted } from "../errors.js";
import { checkOptions, flag, integer, shown, signal } from "../options.js";
import { crossEntropy } from "../tensor/kernels.js";
import { noGrad, scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

export interface PerplexityOptions {
  /** Tokens that the model sees at once; default: its positions, at most 512. */
  readonly window?: number;
  /** Tokens from one window to the next; default: no overlap. A token counts in the first window that predicts it. */
  readonly stride?: number;
  /** Whether every window begins with the BOS token; default: the tokenizer's own rule. */
  readonly bos?: boolean;
  readonly signal?: AbortSignal;
}

interface Protocol {
  readonly window: number;
  readonly stride: number;
  readonly bos: boolean;
}

/** A perplexity with the protocol that it was measured by: without it the number says little. */
export class Perplexity implements Protocol {
  /** exp(nll / tokens) */
  readonly perplexity: number;
  /** Bits per UTF-8 byte of the text, comparable between tokenizers; null where ids were given. */
  readonly bitsPerByte: number | null;
  readonly window: number;
  readonly stride: number;
  readonly bos: boolean;

  constructor(
    readonly model: string,
    /** Sum of −log p, in nats. */
    readonly nll: number,
    /** Tokens that were predicted. */
    readonly tokens: number,
    bytes: number | null,
    protocol: Protocol,
  ) {
    this.perplexity = Math.exp(nll / tokens);
    this.bitsPerByte = bytes === null || bytes === 0 ? null : nll / bytes / Math.LN2;
    this.window = protocol.window;
    this.stride = protocol.stride;
    this.bos = protocol.bos;
  }

  get protocol(): string {
    const { tokens, window, stride, bos } = this;
    return `${tokens} tokens predicted, window ${window}, stride ${stride}, ${bos ? "BOS in every window" : "no BOS"}`;
  }
  valueOf(): number {
    return this.perplexity;
  }
  toString(): string {
    return `perplexity ${this.perplexity.toFixed(4)} (${this.model}; ${this.protocol})`;
  }
  [display](): MimeBundle {
    const bits = this.bitsPerByte === null ? "" : ` · ${this.bitsPerByte.toFixed(4)} bits per byte`;
    const columns = ["model", "perplexity"];
    return tableBundle({ columns, rows: [[this.model, this.perplexity.toFixed(4)]], note: this.protocol + bits });
  }
  [inspect](): string {
    return this.toString();
  }
}

const TOKENS_AT_ONCE = 2048; // windows are stacked up to here: enough rows for the matrix products, few enough for a quick stop

/**
 * Perplexity of a text: exp of the mean −log p of its tokens, in windows of which each counts only the tokens that no earlier one counted.
 * With `bos` each window is BOS and window − 1 tokens, and the text's first token counts too; without it, that one has nothing to be predicted from.
 * Equal to the sliding-window protocol of Hugging Face (stride < window) or to GPTQ's disjoint windows up to each window's first token.
 *
 * @param text a string (tokenized without special tokens), what has one as its `text`, such as a dataset, or token ids
 * @throws {OptionError} · {InterruptedError}
 * @example
 * await perplexity(model, data.pocket.text("test"), { window: 256, stride: 128 });
 */
export async function perplexity(
  model: LanguageModel,
  text: string | { readonly text: string } | readonly number[] | Int32Array,
  options: PerplexityOptions = {},
): Promise<Perplexity> {
  const given = textOrIds(text);
  const checked = checkOptions("perplexity", options, {
    window: integer({ from: 2, to: model.config.maxPositions, fallback: Math.min(512, model.config.maxPositions) }),
    stride: integer({ from: 1 }),
    bos: flag(),
    signal: signal(),
  });
  const bos = checked.bos ?? (model.hasTokenizer && model.tokenizer.addsBos);
  const bosToken = bos ? bosTokenOf(model) : null;
  const body = checked.window - (bos ? 1 : 0);
  const stride = checked.stride ?? body;
  if (stride > body)
    throw new OptionError("perplexity", `stride is ${stride}. Allowed: 1 to ${body}, the text tokens of a window.`, {
      option: "stride",
    });
  const ids = typeof given === "string" ? model.tokenizer.encode(given, { bos: false }) : given;
  const windows = [...slide(ids, body, stride, bosToken)];
  if (windows.length === 0)
    throw new OptionError("perplexity", `The text has ${ids.length} tokens. Allowed: at least ${bos ? 1 : 2}.`);
  const { nll, tokens } = await measure(model, windows, checked.window, checked.signal);
  const bytes = typeof given === "string" ? Buffer.byteLength(given) : null;
  const label = model.label === "full precision" ? model.name : `${model.name}, ${model.label}`;
  return new Perplexity(label, nll, tokens, bytes, { window: checked.window, stride, bos });
}

function textOrIds(text: unknown): string | readonly number[] {
  const given = typeof text === "object" && text !== null && "text" in text ? text.text : text;
  if (typeof given === "string") return given;
  if (Array.isArray(given) && given.every((id) => Number.isInteger(id))) return given as readonly number[];
  if (given instanceof Int32Array) return [...given];
  throw new OptionError(
    "perplexity",
    `The text is ${shown(given)}. Allowed: a string, a dataset with a text, or token ids.`,
  );
}

interface Window {
  readonly tokens: readonly number[];
  /** As long as `tokens`. */
  readonly targets: readonly number[];
}

/** Windows over [BOS +] ids; a target is `IGNORED` where an earlier window counted it. */
function* slide(ids: readonly number[], body: number, stride: number, bosToken: number | null): Generator<Window> {
  let counted = bosToken === null ? 1 : 0;
  for (let start = 0; counted < ids.length; start += stride) {
    const end = Math.min(start + body, ids.length);
    const inside = bosToken === null ? ids.slice(start, end) : [bosToken, ...ids.slice(start, end)];
    // inside[i] predicts inside[i + 1], which is the text's token `position`.
    const first = bosToken === null ? start : start - 1;
    if (inside.length < 2) return;
    const targets = inside.slice(1).map((id, i) => (first + i + 1 >= counted ? id : IGNORED));
    yield { tokens: inside.slice(0, -1), targets };
    counted = end;
  }
}

async function measure(
  model: LanguageModel,
  windows: readonly Window[],
  window: number,
  abort: AbortSignal | undefined,
) {
  const atOnce = Math.max(1, Math.floor(TOKENS_AT_ONCE / window));
  let nll = 0;
  let tokens = 0;
  for (let done = 0; done < windows.length;) {
    throwIfAborted("perplexity", abort);
    // Only windows of one length stack.
    const { length } = windows[done]!.tokens;
    let end = done + 1;
    while (end < Math.min(windows.length, done + atOnce) && windows[end]!.tokens.length === length) end++;
    const loss = lossOf(model, windows.slice(done, end));
    nll += loss.loss;
    tokens += loss.tokens;
    done = end;
    events.emit("progress", {
      id: "perplexity",
      label: `perplexity of ${model.name}`,
      done,
      total: windows.length,
      unit: "windows",
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { nll, tokens };
}

function lossOf(model: LanguageModel, windows: readonly Window[]): { loss: number; tokens: number } {
  return noGrad(() =>
    scope(() => {
      const ids = Int32Array.from(windows.flatMap(({ tokens }) => tokens));
      const targets = Int32Array.from(windows.flatMap((window) => window.targets));
      const x = model.hidden(ids, windows.length, null, "perplexity");
      const { loss, tokens } = crossEntropy(x, model.network.outputWeight(), Tensor.from(targets), {
        ignoreIndex: IGNORED,
        precision: model.precision,
      });
      return { loss, tokens };
    }),
  );
}

function bosTokenOf(model: LanguageModel): number {
  const token = model.hasTokenizer ? model.tokenizer.bosToken : model.config.bosToken;
  if (token !== null) return token;
  throw new OptionError("perplexity", `bos is true, but "${model.name}" has no BOS token. Allowed: false.`, {
    option: "bos",
  });
}
