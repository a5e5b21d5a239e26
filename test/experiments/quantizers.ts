/**
 * What each quantizer costs a small trained model: perplexity, and the outputs' error on the same inputs for all; docs/results.md quotes it.
 *
 *     node node_modules/typescript/bin/tsc -p test/experiments
 *     node test/experiments/lib/quantizers.js [--model FOLDER --text STORIES.json] [--group 32]
 *
 * Without --model: pocket and its own text. Calibration is training text, perplexity is of test text.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  data,
  engineInfo,
  loadModel,
  perplexity,
  quantize,
  type LanguageModel,
  type QuantizeOptions,
} from "nibble-lab";
import { outputErrors } from "./output-error.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    text: { type: "string" },
    group: { type: "string", default: "32" },
  },
});
const [CALIBRATED, EVALUATED, LENGTH] = [8192, 12_000, 128];
const METHODS: readonly (readonly [
  string,
  Partial<QuantizeOptions> & { readonly method: "rtn" | "hqq" | "awq" | "gptq" },
])[] = [
  ["rtn", { method: "rtn" }],
  ["rtn, mse", { method: "rtn", search: "mse" }],
  ["hqq", { method: "hqq" }],
  ["awq", { method: "awq" }],
  ["gptq", { method: "gptq" }],
  ["gptq, mse", { method: "gptq", search: "mse" }],
  ["gptq, act-order", { method: "gptq", actOrder: true }],
  ["magr + gptq", { method: "gptq", preprocess: "magr" }],
  ["magr + gptq, mse", { method: "gptq", search: "mse", preprocess: "magr" }],
];

const model = await loadModel(values.model);
const { train, test } = readTexts();
const protocol = { window: LENGTH } as const;
const full = await perplexity(model, test, protocol);
console.log(
  `${model.name}, f32: perplexity ${full.perplexity.toFixed(3)} (${full.protocol}); ${JSON.stringify(engineInfo())}\n`,
);
console.log("| bits, group | method | perplexity | ÷ f32 | output error |\n|---|---|---|---|---|");
const small = Number(values.group);
const fits = [...model.linears()].every(([, { columns }]) => columns % small === 0);
for (const bits of [4, 3, 2] as const)
  for (const group of ["channel", small] as const) {
    // Layers whose rows the group does not divide keep one scale a row.
    const overrides =
      group === "channel" || fits
        ? {}
        : Object.fromEntries(
            [...model.linears()]
              .filter(([, { columns }]) => columns % small !== 0)
              .map(([name]) => [name, { group: "channel" as const }]),
          );
    for (const [name, method] of METHODS) {
      const options = {
        bits,
        group,
        overrides,
        calibration: { text: train, length: LENGTH, sequences: CALIBRATED / LENGTH },
        ...method,
      };
      using quantized = await quantize(model, options as QuantizeOptions);
      const { perplexity: measured } = await perplexity(quantized, test, protocol);
      const errors = errorsOf(quantized);
      const error = errors.reduce((sum, value) => sum + value, 0) / errors.length;
      const span = group === "channel" ? "a row" : String(group);
      console.log(
        `| ${bits}, ${span} | ${name} | ${measured.toFixed(3)} | ${(measured / full.perplexity).toFixed(3)} | ${error.toFixed(4)} |`,
      );
    }
  }

/** By layer, squared: from the report where it is about the model's own inputs (awq's weights are for scaled ones), measured otherwise. */
function errorsOf(quantized: LanguageModel): number[] {
  const { calibration, layers } = quantized.quantization!;
  if (calibration!.inputs === "exact") return layers.map(({ outputError }) => outputError! ** 2);
  return [...outputErrors(model, quantized, train, LENGTH).values()];
}

/** Token ids; every story begins with BOS where the model has one. */
function readTexts(): { train: Int32Array; test: Int32Array } {
  const ids = (texts: Iterable<string>, count: number) => {
    const all: number[] = [];
    for (const text of texts) {
      all.push(...model.tokenizer.encode(text));
      if (all.length >= count) break;
    }
    return Int32Array.from(all.slice(0, count));
  };
  if (values.text === undefined) {
    return { train: ids(data.pocket.text("train"), CALIBRATED), test: ids(data.pocket.text("test"), EVALUATED) };
  }
  const stories = JSON.parse(readFileSync(values.text, "utf8")) as readonly string[];
  return { train: ids(stories.slice(500), CALIBRATED), test: ids(stories, EVALUATED) };
}
