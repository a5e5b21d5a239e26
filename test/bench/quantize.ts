/**
 * Quantize throughput of one block of the 97.5M Llama shape (hidden 768, MLP 2048: 7.1 million weights), in million weights a second, given
 * each layer's H = XᵀX; the best of several runs. Rivals: bitsandbytes on the processor, and round to nearest, HQQ and GPTQ's blocked
 * loop in PyTorch.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { preprocessors, quantizers, Tensor, type LayerInputs, type Quantizer } from "nibble-lab";
import { compare, type Row } from "./report.js";

const [HIDDEN, INNER, TOKENS] = [768, 2048, 4096];
/** Rows, columns and which input a layer reads: those of one input share what a method makes of it. */
const LAYERS = [
  [HIDDEN, HIDDEN, "attention"],
  [HIDDEN, HIDDEN, "attention"],
  [HIDDEN, HIDDEN, "attention"],
  [HIDDEN, HIDDEN, "output"],
  [INNER, HIDDEN, "mlp"],
  [INNER, HIDDEN, "mlp"],
  [HIDDEN, INNER, "down"],
] as const;
const WEIGHTS = LAYERS.reduce((sum, [rows, columns]) => sum + rows * columns, 0);

const MAGR_STEPS = 10;

const CASES: Readonly<
  Record<string, { readonly method: keyof typeof quantizers; readonly options: object; readonly runs: number }>
> = {
  "rtn 4 bits": { method: "rtn", options: { bits: 4 }, runs: 20 },
  "rtn 4 bits, mse, group 64": { method: "rtn", options: { bits: 4, group: 64, search: "mse" }, runs: 3 },
  nf4: { method: "nf4", options: {}, runs: 20 },
  "nf4, double quantization": { method: "nf4", options: { doubleQuant: true }, runs: 10 },
  "hqq 4 bits, group 64": { method: "hqq", options: { bits: 4, group: 64 }, runs: 3 },
  "gptq 4 bits": { method: "gptq", options: { bits: 4 }, runs: 3 },
  "gptq 4 bits, group 64": { method: "gptq", options: { bits: 4, group: 64 }, runs: 3 },
  "awq's clipping, 4 bits, group 64": { method: "awq", options: { bits: 4, group: 64 }, runs: 2 },
};

class Inputs implements LayerInputs {
  private readonly made = new Map<string, Promise<object>>();
  readonly job = {};
  constructor(readonly gram: Tensor) {}
  share = <T extends object>(key: string, make: () => Promise<T>): Promise<T> => {
    const value = (this.made.get(key) ?? make()) as Promise<T>;
    this.made.set(key, value);
    return value;
  };
  async forget(): Promise<void> {
    for (const value of this.made.values())
      for (const part of Object.values(await value)) if (part instanceof Tensor) part.dispose();
    this.made.clear();
  }
}

export async function quantize(python: string | null): Promise<Row[]> {
  const weights = LAYERS.map(([rows, columns], i) => Tensor.randomNormal([rows, columns], 0.02, i));
  const inputs = new Map<string, Inputs>();
  for (const [, columns, input] of LAYERS)
    if (!inputs.has(input)) inputs.set(input, new Inputs(gramOf(columns, inputs.size)));
  const theirs = python === null ? new Map<string, Record<string, number>>() : peers(python);
  const rows: Row[] = [];
  for (const [name, { method, options, runs }] of Object.entries(CASES)) {
    const quantizer = quantizers[method] as unknown as Quantizer<object>;
    const all = { ...defaults(quantizer.rules), ...options };
    const seconds = await fastest(runs, async () => {
      for (const [i, weight] of weights.entries()) {
        if (quantizer.needs === "weights") dispose(quantizer.quantize(weight, all));
        else dispose((await quantizer.quantize(weight, all, inputs.get(LAYERS[i]![2])!)).packed);
      }
      for (const input of inputs.values()) await input.forget();
    });
    rows.push(...compare("quantize", name, "Mweights/s", WEIGHTS / seconds / 1e6, rivals(theirs, name)));
  }
  const seconds = await fastest(1, async () => {
    for (const [i, weight] of weights.entries()) {
      const options = { ...defaults(preprocessors.magr.rules), iterations: MAGR_STEPS } as never;
      (await preprocessors.magr.apply(weight, inputs.get(LAYERS[i]![2])!, 0, options)).dispose();
    }
  });
  const name = `magr, ${MAGR_STEPS} of its 200 steps`;
  rows.push(...compare("quantize", name, "Mweights/s", WEIGHTS / seconds / 1e6, rivals(theirs, name)));
  return rows;
}

/** H of tokens whose inputs are correlated and differ in size. */
function gramOf(width: number, seed: number): Tensor {
  const shared = Tensor.randomNormal([TOKENS], 1, 100 + seed).arraySync();
  using x = Tensor.randomNormal([TOKENS, width], 1, 200 + seed);
  const values = Float32Array.from(
    x.arraySync(),
    (v, i) => (v + shared[Math.floor(i / width)]!) * (0.5 + ((i % width) % 7)),
  );
  const gram = new Float32Array(width * width);
  for (let token = 0; token < TOKENS; token += 16) {
    const row = values.subarray(token * width, (token + 1) * width);
    for (let i = 0; i < width; i++) for (let j = 0; j < width; j++) gram[i * width + j]! += row[i]! * row[j]!;
  }
  return Tensor.from(gram, [width, width]);
}

async function fastest(runs: number, work: () => Promise<void>): Promise<number> {
  let best = Infinity;
  for (let run = 0; run <= runs; run++) {
    const started = performance.now();
    await work();
    // The first one warms up, unless it is the only one.
    if (run > 0 || runs === 1) best = Math.min(best, (performance.now() - started) / 1000);
    if (runs === 1) break;
  }
  return best;
}

function defaults(rules: object): object {
  return Object.fromEntries(
    Object.entries(rules).map(([name, rule]) => [name, (rule as { readonly fallback: unknown }).fallback]),
  );
}
function dispose(packed: object): void {
  for (const part of Object.values(packed)) if (part instanceof Tensor) part.dispose();
}

function rivals(theirs: ReadonlyMap<string, Record<string, number>>, name: string): Map<string, number> {
  return new Map([...theirs].flatMap(([peer, cases]) => (name in cases ? [[peer, cases[name]!] as const] : [])));
}
/** The last line that the process prints: by peer and case, million weights a second. */
function peers(python: string): Map<string, Record<string, number>> {
  const env = { ...process.env };
  delete env.OPENBLAS_CORETYPE;
  delete env.OPENBLAS_L2_SIZE;
  const cwd = fileURLToPath(new URL("../../../..", import.meta.url));
  const output = execFileSync(python, ["test/bench/peers/quantize.py"], { cwd, env, encoding: "utf8" });
  return new Map(
    Object.entries(JSON.parse(output.trim().split("\n").at(-1)!) as Record<string, Record<string, number>>),
  );
}
