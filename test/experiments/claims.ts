/**
 * What PEQA, QLoRA, LoftQ, CLoQ and PiSSA claim, measured on a small trained model over several seeds; docs/results.md is made of it.
 *
 *     node node_modules/typescript/bin/tsc -p test/experiments
 *     node test/experiments/lib/claims.js [--model FOLDER --text STORIES.json --other TEXT.txt] [--seeds 3] [--steps 100] [--only NAME] [--json FILE]
 *
 * Without --model: pocket, its own text, and as the other text English about another world. A learning rate is chosen on validation text
 * with a seed that no result uses, on the first of the variants that share it; perplexities are of test text. A seed orders the rows, and
 * draws LoRA's A where the initializer does.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
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
import { plainTextFrom, pocketTexts, storiesFrom, type Texts } from "./texts.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    text: { type: "string" },
    other: { type: "string" },
    seeds: { type: "string", default: "3" },
    steps: { type: "string", default: "100" },
    only: { type: "string" },
    json: { type: "string" },
  },
});
const [SEEDS, STEPS] = [Number(values.seeds), Number(values.steps)];
const [BATCH, LENGTH, RANK, GROUP, TUNING_SEED] = [4, 128, 8, 32, 99];
const SIZES = { test: 12_000, validation: 6_000, calibration: 64 * LENGTH, train: STEPS * BATCH * LENGTH + 1 } as const;
const BITS = [4, 3, 2] as const;
type Bits = (typeof BITS)[number];
const RATES = {
  peqa: [1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
  lora: [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
  "lora qv": [1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
  qat: [1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
} as const;
type Trained = keyof typeof RATES;

const TUNERS = {
  peqa: () => ({ method: "peqa" }),
  lora: (seed) => ({ method: "lora", rank: RANK, seed }),
  "lora qv": (seed) => ({ method: "lora", rank: 4, targets: ["q_proj", "v_proj"], seed }),
  qat: (_seed, bits) => ({ method: "qat", bits: bits! }),
} satisfies Record<Trained, (seed: number, bits: Bits | null) => TuneOptions>;

/** One combination: what lies below, what trains, where adapters start. */
interface Variant {
  readonly bits: Bits | null;
  readonly name: string;
  /** What shares a learning rate with it. */
  readonly like: string;
  readonly tuner: Trained;
  readonly below: QuantizeOptions | null;
  readonly start?: InitializeOptions;
}
interface Row {
  readonly experiment: string;
  readonly bits: Bits | null;
  readonly variant: string;
  readonly learningRate: number;
  readonly start: number;
  /** By seed. */
  readonly after: readonly number[];
  readonly outputError: number;
}

const rows: Row[] = [];
const rates = new Map<string, number>();
const model = await loadModel(values.model);
const own = values.text === undefined ? pocketTexts(model, 1, SIZES) : storiesFrom(model, values.text, SIZES);
const calibration = { text: own.calibration, length: LENGTH, sequences: SIZES.calibration / LENGTH };
// Layers whose rows the group does not divide keep one scale a row.
const overrides = Object.fromEntries(
  [...model.linears()]
    .filter(([, { columns }]) => columns % GROUP !== 0)
    .map(([name]) => [name, { group: "channel" as const }]),
);

const experiments: Readonly<Record<string, () => Promise<void>>> = { scales, precision, initializers };
for (const [name, run] of Object.entries(experiments))
  if (values.only === undefined || values.only === name) await run();
console.log(`\n${JSON.stringify(settings())}`);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ settings: settings(), rows }, null, 1));

/** Rounding, and what scales alone bring back, on codes of rtn and of gptq; beside it all weights through the rounding, and a small LoRA. */
async function scales(): Promise<void> {
  for (const bits of BITS) {
    const peqa = { bits, like: `PEQA, ${bits} bits`, tuner: "peqa" } as const;
    for (const group of ["channel", GROUP] as const) {
      await measure("scales", { ...peqa, name: `PEQA on rtn, ${span(group)}`, below: rtn(bits, group) });
      await measure("scales", { ...peqa, name: `PEQA on gptq, ${span(group)}`, below: gptq(bits, group) });
    }
    const few = { bits, name: "LoRA on q and v, gptq", tuner: "lora qv", below: gptq(bits, "channel") } as const;
    await measure("scales", { ...few, like: `LoRA on q and v, ${bits} bits` });
    const qat = { bits, name: "QAT, a scale a row", tuner: "qat", below: null } as const;
    await measure("scales", { ...qat, like: `QAT, ${bits} bits` });
  }
}

/** LoRA on full precision against QLoRA, on the model's own text and on one that it does not know. */
async function precision(): Promise<void> {
  const other = values.text === undefined ? pocketTexts(model, 2, SIZES) : null;
  const strange = values.other === undefined ? other : plainTextFrom(model, values.other, SIZES);
  const variants = [
    ["LoRA, f32", null],
    ["QLoRA, nf4 with double quantization", { method: "nf4", doubleQuant: true }],
    ["LoRA, int2 of rtn", rtn(2, GROUP)],
  ] as const;
  for (const [experiment, texts] of Object.entries({ "own text": own, "other text": strange })) {
    if (texts === null) continue;
    for (const [name, below] of variants)
      await measure(experiment, { bits: null, name, like: `${name}, ${experiment}`, tuner: "lora", below }, texts);
  }
}

/** Where adapters start, at 4, 3 and 2 bits. */
async function initializers(): Promise<void> {
  const original = model;
  for (const bits of BITS) {
    const [rounded, fitted] = [rtn(bits, GROUP), gptq(bits, GROUP)];
    const starts: readonly (readonly [string, QuantizeOptions, InitializeOptions])[] = [
      ["gaussian on rtn", rounded, { method: "gaussian" }],
      ["pissa on rtn", rounded, { method: "pissa", original }],
      ["svd on rtn", rounded, { method: "svd", original }],
      ["loftq on rtn", rounded, { method: "loftq", original }],
      ["cloq on rtn", rounded, { method: "cloq", original, calibration }],
      ["gaussian on gptq", fitted, { method: "gaussian" }],
      ["svd on gptq", fitted, { method: "svd", original }],
      ["cloq on gptq", fitted, { method: "cloq", original, calibration }],
      ["cloq on magr + gptq", { ...fitted, preprocess: "magr" }, { method: "cloq", original, calibration }],
    ];
    for (const [name, below, start] of starts) {
      await measure("initializers", { bits, name, like: `LoRA, ${bits} bits`, tuner: "lora", below, start });
    }
  }
}

/** Trains one combination once for each seed. */
async function measure(experiment: string, variant: Variant, texts = own): Promise<void> {
  const { bits, name, below } = variant;
  using base = below === null ? model.fork() : await quantize(model, below);
  const learningRate = await rateOf(base, variant, texts);
  using untrained = await tuned(base, variant, 1);
  const after: number[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) after.push(await trained(base, variant, seed, learningRate, texts, "test"));
  const errors = [...outputErrors(model, untrained, texts.calibration, LENGTH).values()];
  const outputError = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  const start = await ppl(untrained, texts.test);
  const row = { experiment, bits, variant: name, learningRate, start, after, outputError };
  rows.push(row);
  console.log(line(row));
}

/** The rate that is best on validation text, with a seed that no result uses. */
async function rateOf(base: LanguageModel, variant: Variant, texts: Texts): Promise<number> {
  const known = rates.get(variant.like);
  if (known !== undefined) return known;
  let best = { rate: NaN, value: Infinity };
  const tried: string[] = [];
  for (const rate of RATES[variant.tuner]) {
    const value = await trained(base, variant, TUNING_SEED, rate, texts, "validation");
    tried.push(`${rate} (${value.toFixed(3)})`);
    if (value < best.value) best = { rate, value };
  }
  console.log(`learning rate of ${variant.like}: ${best.rate} of ${tried.join(", ")}`);
  rates.set(variant.like, best.rate);
  return best.rate;
}

async function tuned(base: LanguageModel, { tuner, bits, start }: Variant, seed: number): Promise<LanguageModel> {
  const made = tune(base.fork(), TUNERS[tuner](seed, bits) as TuneOptions);
  return start === undefined || start.method === "gaussian" ? made : initialize(made, start);
}

async function trained(
  base: LanguageModel,
  variant: Variant,
  seed: number,
  learningRate: number,
  texts: Texts,
  on: "validation" | "test",
): Promise<number> {
  using made = await tuned(base, variant, seed);
  await train(made, { data: texts.train, steps: STEPS, batchSize: BATCH, length: LENGTH, learningRate, seed });
  return await ppl(made, texts[on]);
}

async function ppl(of: LanguageModel, text: Int32Array): Promise<number> {
  return (await perplexity(of, text, { window: LENGTH })).perplexity;
}

function rtn(bits: Bits, group: "channel" | typeof GROUP): QuantizeOptions {
  return { method: "rtn", bits, group, overrides: group === GROUP ? overrides : {} };
}
function gptq(bits: Bits, group: "channel" | typeof GROUP): QuantizeOptions & { readonly method: "gptq" } {
  return { method: "gptq", bits, group, overrides: group === GROUP ? overrides : {}, calibration };
}
function span(group: "channel" | typeof GROUP): string {
  return group === "channel" ? "a scale a row" : `a scale for ${group}`;
}

function line({ experiment, bits, variant, start, after, outputError }: Row): string {
  const mean = after.reduce((sum, value) => sum + value, 0) / SEEDS;
  const deviation = Math.sqrt(after.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (SEEDS - 1));
  return `| ${experiment} | ${bits ?? "–"} | ${variant} | ${outputError.toFixed(4)} | ${start.toFixed(3)} | ${mean.toFixed(3)} ± ${deviation.toFixed(3)} |`;
}

function settings(): object {
  const { version, processor, isa, threads } = engineInfo();
  return {
    model: model.name,
    perplexity: { tokens: own.test.length, window: LENGTH },
    seeds: SEEDS,
    steps: STEPS,
    tokensPerStep: BATCH * LENGTH,
    rank: RANK,
    group: GROUP,
    rates: Object.fromEntries(rates),
    engine: { version, processor, isa, threads },
  };
}
