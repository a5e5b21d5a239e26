import { describe, expect, it } from "vitest";
import { InterruptedError, liveTensors, OptionError, perplexity, scope, type LanguageModel } from "nibble-lab";
import { softmax } from "../../reference/ops.js";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const ids = [...tinyTokens(41)];

/** −log p of ids[position] after ids[from … position − 1], with or without a BOS token before them. */
function surprise(model: LanguageModel, from: number, position: number, bos: number | null): number {
  const context = [...(bos === null ? [] : [bos]), ...ids.slice(from, position)];
  const logits = scope(() => model.run(context).arraySync().slice(-model.config.vocabSize));
  return -Math.log(softmax([...logits])[ids[position]!]!);
}

/** The protocol, word by word: windows of `body` tokens every `stride`; each counts what no earlier one counted. */
function reference(
  model: LanguageModel,
  body: number,
  stride: number,
  bos: number | null,
): { nll: number; tokens: number } {
  let [nll, tokens, counted] = [0, 0, bos === null ? 1 : 0];
  for (let from = 0; counted < ids.length; from += stride) {
    const end = Math.min(from + body, ids.length);
    for (let position = Math.max(counted, from + (bos === null ? 1 : 0)); position < end; position++) {
      nll += surprise(model, from, position, bos);
      tokens++;
    }
    counted = end;
  }
  return { nll, tokens };
}

describe("perplexity", () => {
  it.each([
    ["disjoint windows", 8, 8, false],
    ["a last window of one token", 20, 20, false],
    ["overlapping windows", 8, 3, false],
    ["BOS in every window", 9, 8, true],
    ["BOS and overlap", 9, 5, true],
    ["one window for all", 32, 31, true],
  ])("counts by its protocol: %s", async (_, window, stride, bos) => {
    const before = liveTensors();
    using model = tinyModel({ bosToken: 2 });
    const measured = await perplexity(model, ids, { window, stride, bos });
    const expected = reference(model, bos ? window - 1 : window, stride, bos ? 2 : null);
    expect(measured.tokens).toBe(expected.tokens);
    expect(measured.nll / expected.nll).toBeCloseTo(1, 5);
    expect(measured.perplexity).toBeCloseTo(Math.exp(measured.nll / measured.tokens), 10);
    model.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("says its protocol wherever it is shown", async () => {
    using model = tinyModel();
    const measured = await perplexity(model, ids, { window: 8 });
    expect(measured.protocol).toBe("35 tokens predicted, window 8, stride 8, no BOS");
    expect(String(measured)).toContain(measured.protocol);
    expect(+measured).toBe(measured.perplexity);
  });

  it("refuses windows and strides that the model or the window cannot have, and texts with nothing to predict", async () => {
    using model = tinyModel();
    await expect(perplexity(model, ids, { window: 33 })).rejects.toThrow(
      "window is 33. Allowed: a whole number from 2 to 32.",
    );
    await expect(perplexity(model, ids, { window: 8, stride: 9 })).rejects.toThrow("stride is 9. Allowed: 1 to 8");
    await expect(perplexity(model, ids, { bos: true })).rejects.toThrow(OptionError);
    await expect(perplexity(model, [1])).rejects.toThrow("at least 2");
    await expect(perplexity(model, null as never)).rejects.toThrow("The text is null. Allowed: a string");
    await expect(perplexity(model, ids, { windows: 8 } as never)).rejects.toThrow('Did you mean "window"?');
  });

  it("stops between windows when its signal is aborted", async () => {
    using model = tinyModel();
    await expect(perplexity(model, ids, { signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
  });
});
