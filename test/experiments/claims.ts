/**
 * What PEQA, QLoRA, LoftQ, CLoQ and PiSSA claim, measured on a small trained model over several seeds; docs/results.md is made of it.
 *
 *     node node_modules/typescript/bin/tsc -p test/experiments
 *     node test/experiments/lib/claims.js [--model FOLDER --text STORIES.json] [--seeds 3] [--steps 100] [--only NAME] [--json FILE]
 *
 * Without --model: pocket and its own text. Learning rates are chosen on validation text with another seed, once for each tuner at 3
 * bits; perplexities are of test text. A seed orders the rows, and draws LoRA's A where the initializer does.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  data,
  engineInfo,
  initialize,
  loadModel,
  perplexity,
  quantize,
  train,
  tune,
  type InitializeOptions,
  type LanguageModel,
  type QuantizeOptions,
  type TuneOptions,
} from "nibble-lab";
import { outputErrors } from "./output-error.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    text: { type: "string" },
    seeds: { type: "string", default: "3" },
    steps: { type: "string", default: "60" },
    only: { type: "string" },
    json: { type: "string" },
  },
});
const [SEEDS, STEPS] = [Number(values.seeds), Number(values.steps)];
const [BATCH, LENGTH, RANK, GROUP, EVALUATED] = [4, 128, 8, 32, 6_000];
const BITS = [4, 3, 2] as const;
type Bits = (typeof BITS)[number];
const RATES = { peqa: [3e-3, 1e-2, 3e-2], lora: [1e-3, 3e-3, 1e-2], qat: [1e-4, 3e-4, 1e-3] } as const;
type Method = keyof typeof RATES;

interface Texts {
  readonly train: Iterable<string>;
  readonly validation: Int32Array;
  readonly test: Int32Array;
  readonly calibration: Int32Array;
}
interface Row {
  readonly experiment: string;
  readonly bits: number | null;
  readonly variant: string;
  readonly start: number;
  readonly after: readonly number[];
  readonly outputError: number | null;
}

const rows: Row[] = [];
const rates = new Map<Method, number>();
const model = await loadModel(values.model);
const texts = await readTexts();

const experiments: Readonly<Record<string, () => Promise<void>>> = { scales, precision, initializers };
for (const [name, run] of Object.entries(experiments))
  if (values.only === undefined || values.only === name) await run();
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ settings: settings(), rows }, null, 1));
console.log(`\n${JSON.stringify(settings())}`);

/** Rounding, and what scales alone bring back: on codes of rtn and of gptq; all weights through the rounding as the other extreme. */
async function scales(): Promise<void> {
  for (const bits of BITS) {
    for (const group of ["channel", GROUP] as const) {
      const rtn = { method: "rtn", bits, group } as const;
      await variant("scales", bits, `PEQA on rtn, ${span(group)}`, rtn, { method: "peqa" });
      const gptq = { method: "gptq", bits, group, calibration: texts.calibration } as const;
      await variant("scales", bits, `PEQA on gptq, ${span(group)}`, gptq, { method: "peqa" });
    }
    await variant("scales", bits, "QAT, a scale a row", null, { method: "qat", bits });
    const gptq = { method: "gptq", bits, calibration: texts.calibration } as const;
    const few = { method: "lora", rank: 4, targets: ["q_proj", "v_proj"] } as const;
    await variant("scales", bits, "LoRA on q and v, gptq below", gptq, few);
  }
}

/** LoRA on full precision against QLoRA. */
async function precision(): Promise<void> {
  await variant("precision", null, "LoRA, f32 below", null, { method: "lora", rank: RANK });
  const nf4 = { method: "nf4", doubleQuant: true } as const;
  await variant("precision", null, "QLoRA, nf4 with double quantization", nf4, { method: "lora", rank: RANK });
}

/** Where adapters start, at 4, 3 and 2 bits. */
async function initializers(): Promise<void> {
  for (const bits of BITS) {
    const rtn = { method: "rtn", bits, group: GROUP } as const;
    const gptq = { method: "gptq", bits, group: GROUP, calibration: texts.calibration } as const;
    const original = model;
    const { calibration } = texts;
    const starts: [string, QuantizeOptions, InitializeOptions][] = [
      ["gaussian on rtn", rtn, { method: "gaussian" }],
      ["pissa on rtn", rtn, { method: "pissa", original }],
      ["svd on rtn", rtn, { method: "svd", original }],
      ["loftq on rtn", rtn, { method: "loftq", original }],
      ["cloq on rtn", rtn, { method: "cloq", original, calibration }],
      ["gaussian on gptq", gptq, { method: "gaussian" }],
      ["cloq on gptq", gptq, { method: "cloq", original, calibration }],
      ["cloq on magr and gptq", { ...gptq, preprocess: "magr" }, { method: "cloq", original, calibration }],
    ];
    for (const [name, below, start] of starts) {
      await variant("initializers", bits, name, below, { method: "lora", rank: RANK }, start);
    }
  }
}

/** Trains one combination once for each seed. */
async function variant(
  experiment: string,
  bits: Bits | null,
  name: string,
  below: QuantizeOptions | null,
  tuner: TuneOptions,
  start?: InitializeOptions,
): Promise<void> {
  const learningRate = await rateOf(tuner.method as Method);
  const make = async (seed: number) => {
    using base = below === null ? model.fork() : await quantize(model, below);
    const tuned = tune(base.fork(), tuner.method === "lora" ? { ...tuner, seed } : tuner);
    return start === undefined || start.method === "gaussian" ? tuned : initialize(tuned, start);
  };
  using untrained = await make(1);
  const after: number[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    using tuned = await make(seed);
    await train(tuned, { data: texts.train, steps: STEPS, batchSize: BATCH, length: LENGTH, learningRate, seed });
    after.push(await ppl(tuned, texts.test));
  }
  const errors = [...outputErrors(model, untrained, texts.calibration, LENGTH).values()];
  const outputError = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  const row = { experiment, bits, variant: name, start: await ppl(untrained, texts.test), after, outputError };
  rows.push(row);
  console.log(line(row));
}

/** The rate that is best on validation text, with a seed that no result uses. */
async function rateOf(method: Method): Promise<number> {
  const known = rates.get(method);
  if (known !== undefined) return known;
  const measured: [number, number][] = [];
  for (const learningRate of RATES[method]) {
    using base = method === "qat" ? model.fork() : await quantize(model, { method: "rtn", bits: 3, group: GROUP });
    const options = {
      peqa: { method: "peqa" },
      lora: { method: "lora", rank: RANK },
      qat: { method: "qat", bits: 3 },
    } as const;
    using tuned = tune(base.fork(), options[method]);
    await train(tuned, { data: texts.train, steps: STEPS, batchSize: BATCH, length: LENGTH, learningRate, seed: 99 });
    measured.push([learningRate, await ppl(tuned, texts.validation)]);
  }
  const [best] = measured.reduce((a, b) => (b[1] < a[1] ? b : a));
  console.log(
    `${method}: learning rate ${best} of ${measured.map(([rate, value]) => `${rate} (${value.toFixed(3)})`).join(", ")}`,
  );
  rates.set(method, best);
  return best;
}

async function readTexts(): Promise<Texts> {
  const ids = (text: string, from = 0) =>
    Int32Array.from(model.tokenizer.encode(text, { bos: false }).slice(from, from + EVALUATED));
  if (values.text !== undefined) {
    const stories = JSON.parse(readFileSync(values.text, "utf8")) as string[];
    return {
      test: ids(stories.slice(0, 80).join("\n")),
      validation: ids(stories.slice(80, 160).join("\n")),
      calibration: ids(stories.slice(160, 240).join("\n")).subarray(0, 64 * LENGTH),
      train: stories.slice(240),
    };
  }
  const { text } = data.pocket;
  const calibration = ids(text("train", { documents: 400, seed: 7 }).text).subarray(0, 64 * LENGTH);
  return {
    test: ids(text("test").text),
    validation: ids(text("validation").text),
    calibration,
    train: text("train", { documents: 20_000, seed: 11 }),
  };
}

async function ppl(of: LanguageModel, text: Int32Array): Promise<number> {
  return (await perplexity(of, text, { window: LENGTH })).perplexity;
}

/** Mean and half the width of its 95 % interval (Student's t). */
function interval(sample: readonly number[]): [number, number] {
  const T95 = [Infinity, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
  const n = sample.length;
  const mean = sample.reduce((sum, value) => sum + value, 0) / n;
  const variance = sample.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return [mean, (T95[n - 1] ?? 1.96) * Math.sqrt(variance / n)];
}

function line({ experiment, bits, variant: name, start, after, outputError }: Row): string {
  const [mean, half] = interval(after);
  const error = outputError === null ? "" : ` | ${outputError.toFixed(4)}`;
  return `| ${experiment} | ${bits ?? "–"} | ${name} | ${start.toFixed(3)} | ${mean.toFixed(3)} ± ${half.toFixed(3)}${error} |`;
}

function settings(): object {
  const { version, processor, isa, threads } = engineInfo();
  return {
    model: values.model,
    seeds: SEEDS,
    steps: STEPS,
    tokensPerStep: BATCH * LENGTH,
    rank: RANK,
    group: GROUP,
    rates: Object.fromEntries(rates),
    engine: { version, processor, isa, threads },
  };
}

function span(group: number | "channel"): string {
  return group === "channel" ? "a scale a row" : `a scale for ${group}`;
}
