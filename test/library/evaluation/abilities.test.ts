import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  abilities,
  data,
  liveTensors,
  loadModel,
  logLikelihoods,
  OptionError,
  perplexity,
  quantize,
  type LanguageModel,
} from "nibble-lab";
import { TASK_NAMES } from "nibble-lab/data";

let model: LanguageModel;
const before = liveTensors();
beforeAll(async () => void (model = await loadModel("pocket")));
afterAll(() => {
  model.dispose();
  expect(liveTensors()).toBe(before);
});

describe("log-likelihoods", () => {
  it("are those of a text's tokens after its prompt, whatever stands beside it", async () => {
    const texts = ["Netan lives in Hapwick.", "The Gorcrow eats seeds. The Gorcrow eats worms.", "1"];
    const whole = await logLikelihoods(
      model,
      texts.map((text) => ({ prompt: "", text })),
    );
    for (const [index, text] of texts.entries()) {
      const { nll } = await perplexity(model, text, { bos: true });
      expect(whole[index]).toBeCloseTo(-nll, 3);
    }
    const [both, first, second] = await logLikelihoods(model, [
      { prompt: "", text: "Netan lives in Hapwick." },
      { prompt: "", text: "Netan lives" },
      { prompt: "Netan lives", text: " in Hapwick." },
    ]);
    expect(first! + second!).toBeCloseTo(both!, 3);
  });

  it("take a prompt that is too long from its end", async () => {
    const long = "Netan lives in Hapwick. ".repeat(80);
    const [value] = await logLikelihoods(model, [{ prompt: long, text: " Netan" }]);
    expect(value).toBeLessThan(0);
  });
});

describe("abilities", () => {
  it("count what perplexity says of each item", async () => {
    const table = await abilities(model, { tasks: ["likelihood"], items: 12, wording: "trained" });
    let right = 0;
    for (const { options, answer } of data.pocket.task("likelihood", { items: 12, wording: "trained" }).documents) {
      const nlls = await Promise.all(options!.map(async (text) => (await perplexity(model, text, { bos: true })).nll));
      if (options![nlls.indexOf(Math.min(...nlls))] === answer) right++;
    }
    expect(table.of("likelihood")).toMatchObject({ items: 12, value: right / 12, chance: 0.5, majority: 0.5 });
  });

  it("measure every task of either edition, at any width", async () => {
    using small = await quantize(model, { method: "rtn", bits: 2 });
    for (const [each, pocket] of [
      [model, data.pocket2],
      [small, data.pocket],
    ] as const) {
      const table = await abilities(each, { pocket, items: 3 });
      expect(table.rows.map(({ task }) => task)).toEqual(TASK_NAMES);
      for (const { low, high, value, chance, majority, leaning } of table.rows) {
        expect(low).toBeLessThanOrEqual(value);
        expect(value).toBeLessThanOrEqual(high);
        for (const share of [low, high, chance, majority, leaning]) expect(share >= 0 && share <= 1).toBe(true);
      }
      expect(table.toMarkdown().split("\n").length).toBe(TASK_NAMES.length + 2);
    }
  }, 60_000);

  it("show a model that answers always alike by its leaning", async () => {
    const { leaning, value, majority } = (await abilities(model, { tasks: ["honest"], items: 20 })).of("honest");
    expect([leaning, value, majority]).toEqual([1, 0.5, 0.5]);
  });

  it("refuse a task that there is not", async () => {
    const wrong = { tasks: ["honesty" as "honest"] };
    await expect(abilities(model, wrong)).rejects.toThrow(OptionError);
    await expect(abilities(model, wrong)).rejects.toThrow(/task "honesty".*Did you mean "honest"/);
  });
});
