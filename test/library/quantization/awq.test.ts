import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  keep,
  liveTensors,
  noGrad,
  PackedWeight,
  perplexity,
  quantize,
  quantizers,
  Random,
  scope,
  Tensor,
  type AwqOptions,
  type LanguageModel,
} from "nibble-lab";
import { BlockInputs, readCalibration } from "../../../kernel/library/lib/quantization/calibration.js";
import type { Linear } from "../../../kernel/library/lib/nn/linear.js";
import { clip, scaleLosses, scalesOf } from "../../reference/awq.js";
import { gram as gramOf, outputError } from "../../reference/gptq.js";
import { gridRule } from "../../reference/rtn.js";
import { largestDifference, tinyModel, tinyTokens } from "../tiny-model.js";
import { inputsOf } from "./inputs.js";

const defaults: Required<AwqOptions> = { bits: 3, group: "channel", symmetric: false, ratios: 20, clip: true };
const calibration = tinyTokens(64);

let before = 0;
let model: LanguageModel;
/** Four heads share two value heads; a few inputs of each norm are much larger than the rest. */
beforeEach(() => {
  before = liveTensors();
  model = tinyModel();
  for (const [name, tensor] of model.namedParameters())
    if (/blocks.*Norm/.test(name))
      tensor.write(Float32Array.from(tensor.arraySync(), (_, i) => (i % 7 === 3 ? 20 : 1)));
});
afterEach(() => {
  model.dispose();
  expect(liveTensors()).toBe(before);
});

const logits = (of: LanguageModel) => scope(() => of.run([...tinyTokens(12)]).arraySync() as Float32Array);

/** Runs `prepare` on the first block of a fork, and gives it with the notes. */
async function prepared(options: Required<AwqOptions>, only?: string) {
  const fork = model.fork();
  const notes = await noGrad(async () => {
    const inputs = new BlockInputs(fork, readCalibration(fork, calibration), () => {});
    const block = fork.network.blocks[0]!;
    const chosen = [...fork.linears()].filter(
      ([name]) => name.startsWith("blocks.0.") && (only === undefined || name.endsWith(only)),
    );
    const made = await quantizers.awq.prepare!({
      block,
      options: new Map(chosen.map(([, l]) => [l, options])),
      inputs,
    });
    inputs.dispose();
    return new Map(chosen.map(([name, linear]) => [name, made.get(linear)]));
  });
  return { fork, notes };
}

function weightOf(of: LanguageModel, name: string): Float32Array {
  return scope(() => new Map(of.linears()).get(name)!.weight.dequantize().arraySync() as Float32Array);
}

/** The input [tokens, in] of a layer of the first block. */
async function inputOf(name: string): Promise<Float32Array> {
  using fork = model.fork();
  const linear = new Map<string, Linear>(fork.linears()).get(name)!;
  const seen: number[] = [];
  await noGrad(async () => {
    const inputs = new BlockInputs(fork, readCalibration(fork, calibration), () => {});
    await inputs.run(fork.network.blocks[0]!, new Map([[linear, (x) => void seen.push(...x.arraySync())]]), {
      firstOnly: true,
    });
    inputs.dispose();
  });
  return Float32Array.from(seen);
}

describe("awq", () => {
  it("scales without changing what the model computes, also where heads share a value head", async () => {
    const { fork, notes } = await prepared({ ...defaults, bits: 2 });
    using scaled = fork;
    expect([...notes.values()].filter((note) => note !== "ratio 0").length).toBeGreaterThan(3);
    for (const name of ["q_proj", "o_proj"])
      expect(weightOf(scaled, `blocks.0.attention.${name}`)).not.toEqual(weightOf(model, `blocks.0.attention.${name}`));
    expect(largestDifference(logits(scaled), logits(model))).toBeLessThan(2e-4);
  });

  it.each(["blocks.0.mlp.down_proj"])("chooses the exponent of the definition in float64: %s", async (name) => {
    const [x, weight] = [await inputOf(name), weightOf(model, name)];
    const [rows, columns] = [16, 24];
    const h = gramOf(x, columns);
    const losses = scaleLosses(x, h, weight, { rows, columns, group: columns }, gridRule(3), 20);
    const { fork, notes } = await prepared(defaults, "down_proj");
    using scaled = fork;
    const ratio = Number(/^ratio (.+)$/.exec(notes.get(name)!)![1]);
    // Ratios whose losses tie in float32 may differ.
    expect(losses[Math.round(ratio * 20)]!).toBeLessThanOrEqual(Math.min(...losses) * (1 + 1e-4));
    const scales = scalesOf(x, columns, ratio);
    const expected = weight.map((value, i) => value * scales[i % columns]!);
    expect(largestDifference(weightOf(scaled, name), expected)).toBeLessThan(1e-4);
  });

  it("chooses clips of the definition in float64", async () => {
    const random = new Random(31);
    const [rows, columns, group] = [5, 32, 16];
    const weight = Float32Array.from({ length: rows * columns }, (_, i) => random.normal() * (i % 13 === 0 ? 6 : 1));
    const x = Float32Array.from({ length: 70 * columns }, () => random.normal());
    const h = gramOf(x, columns);
    for (const bits of [2, 3, 4] as const) {
      const expected = clip(weight, h, { rows, columns, group }, gridRule(bits));
      using given = inputsOf(x, columns);
      using tensor = Tensor.from(weight, [rows, columns]);
      const { packed } = await quantizers.awq.quantize(tensor, { ...defaults, bits, group }, given);
      using result = new PackedWeight(keep(packed));
      const decoded = scope(() => result.dequantize().arraySync());
      let loss = 0;
      for (let start = 0; start < columns; start += group) {
        const part = (values: ArrayLike<number>) =>
          Float64Array.from(
            { length: rows * group },
            (_, i) => values[Math.floor(i / group) * columns + start + (i % group)]!,
          );
        const inner = Float64Array.from(
          { length: group * group },
          (_, i) => h[(start + Math.floor(i / group)) * columns + start + (i % group)]!,
        );
        loss += outputError(part(decoded), part(weight), rows, group, inner);
      }
      expect(loss).toBeLessThanOrEqual(expected.loss * (1 + 1e-4));
      expect(loss).toBeGreaterThanOrEqual(expected.loss * (1 - 1e-4));
    }
  });

  it("keeps more of the outputs than round to nearest where a few inputs are large", async () => {
    const errors = new Map<string, number>();
    for (const method of ["rtn", "awq"] as const) {
      using small = await quantize(model, { method, bits: 3, calibration });
      const { layers } = small.quantization!;
      errors.set(method, layers.reduce((sum, layer) => sum + layer.outputError!, 0) / layers.length);
    }
    expect(errors.get("awq")!).toBeLessThan(0.8 * errors.get("rtn")!);
  });

  it("leaves the norms, the given model and layers alone that are excluded", async () => {
    const plain = logits(model);
    using small = await quantize(model, { method: "awq", calibration, exclude: ["attention.*"] });
    expect(logits(model)).toEqual(plain);
    const norm = (of: LanguageModel) => new Map(of.namedParameters()).get("blocks.0.attentionNorm.weight")!.arraySync();
    expect(norm(small)).toEqual(norm(model));
    expect((await perplexity(small, [...tinyTokens(30)])).perplexity).toBeGreaterThan(0);
  });
});
