import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  comparePca,
  liveTensors,
  loadModel,
  memory,
  perplexity,
  quantize,
  train,
  tune,
  type LanguageModel,
} from "nibble-lab";

const shared = new URL("../../../shared/", import.meta.url).pathname;
const [folder, stories] = [`${shared}models/stories260K-hf/`, `${shared}data/tinystories/tinystories_1000.json`];
const present = existsSync(folder) && existsSync(stories);
if (!present) console.log(`skipped: the tour on stories260K, because ${folder} or ${stories} is absent`);

/** The whole way on a real small model: load, quantize three ways, train two of them well again, look inside, count bytes. */
describe.skipIf(!present)("a tour with stories260K", () => {
  const texts = present ? (JSON.parse(readFileSync(stories, "utf8")) as string[]) : [];
  const heldOut = texts.slice(0, 10).join("\n");
  const learning = { data: texts.slice(100), batchSize: 4, length: 128 };
  const before = liveTensors();
  const models = new Map<string, LanguageModel>();
  const measured = new Map<string, number>();
  const model = (name: string) => models.get(name)!;
  const ppl = (name: string) => measured.get(name)!;
  async function measure(name: string): Promise<void> {
    measured.set(name, (await perplexity(model(name), heldOut, { window: 128 })).perplexity);
  }
  /** How much of what rounding took the training brought back. */
  const recovered = (rounded: string, tuned: string) => (ppl(rounded) - ppl(tuned)) / (ppl(rounded) - ppl("full"));

  beforeAll(async () => {
    const full = await loadModel(folder);
    models.set("full", full);
    models.set("nf4", await quantize(full, { method: "nf4", doubleQuant: true }));
    models.set("rtn4", await quantize(full, { method: "rtn", bits: 4, group: "channel" }));
    models.set("rtn2", await quantize(full, { method: "rtn", bits: 2, group: "channel", calibration: heldOut }));
    for (const name of models.keys()) await measure(name);
  });
  afterAll(() => {
    for (const one of models.values()) one.dispose();
    expect(liveTensors()).toBe(before);
  });

  it("gets worse by rounding: hardly at 4 bits, badly at 2", () => {
    expect(ppl("full")).toBeGreaterThan(3);
    expect(ppl("full")).toBeLessThan(8);
    for (const four of ["nf4", "rtn4"]) {
      expect(ppl(four)).toBeGreaterThan(ppl("full"));
      expect(ppl(four)).toBeLessThan(1.25 * ppl("full"));
    }
    expect(ppl("rtn2")).toBeGreaterThan(10 * ppl("full"));
  });

  it("shows the output error of every layer larger at 2 bits than at 4, and bytes smaller", () => {
    const [two, four] = [model("rtn2").quantization!, model("rtn4").quantization!];
    two.layers.forEach((layer, i) => {
      expect(layer.weightError).toBeGreaterThan(2 * four.layers[i]!.weightError);
      expect(layer.outputError).toBeGreaterThan(0.05);
      expect(layer.bytesAfter).toBeLessThan(four.layers[i]!.bytesAfter);
    });
    expect(two.bytesAfter * 10).toBeLessThan(two.bytesBefore);
  });

  it("comes back by PEQA: at least 70 % of the excess perplexity, codes and zero-points unchanged", async () => {
    const hash = model("rtn2").codesHash();
    models.set("peqa", tune(model("rtn2").fork(), { method: "peqa" }));
    const run = await train(model("peqa"), { ...learning, steps: 24, learningRate: 3e-2 });
    await measure("peqa");
    console.log(
      `2 bits per channel: ${ppl("full").toFixed(3)} → ${ppl("rtn2").toFixed(1)} → PEQA ${ppl("peqa").toFixed(1)}; ${run}`,
    );
    expect(model("peqa").codesHash()).toBe(hash);
    expect(model("peqa").tuning!.count).toBe(3000);
    expect(recovered("rtn2", "peqa")).toBeGreaterThan(0.7);
  }, 240_000);

  it("comes back by QLoRA: at least 30 % of the excess perplexity, codes unchanged", async () => {
    const hash = model("nf4").codesHash();
    models.set("qlora", tune(model("nf4").fork(), { method: "lora", rank: 8 }));
    const steps: number[] = [];
    for await (const { loss } of train(model("qlora"), { ...learning, steps: 40, learningRate: 2e-3 }))
      steps.push(loss);
    await measure("qlora");
    console.log(`NF4: ${ppl("full").toFixed(3)} → ${ppl("nf4").toFixed(3)} → QLoRA ${ppl("qlora").toFixed(3)}`);
    expect(steps).toHaveLength(40);
    expect(model("qlora").codesHash()).toBe(hash);
    expect(recovered("nf4", "qlora")).toBeGreaterThan(0.3);
  }, 240_000);

  it("shows the models in the full one's basis, whoever stands beside it", async () => {
    const prompts = texts.slice(10, 14);
    const rounded = await comparePca(model("full"), model("rtn2"), { prompts, hook: "blocks.{i}.hook_resid_post" });
    const trained = await comparePca(model("full"), model("peqa"), { prompts, hook: "blocks.{i}.hook_resid_post" });
    expect(rounded.layers).toHaveLength(5);
    for (const layer of rounded.layers.keys()) expect(trained.at(layer, 0)).toEqual(rounded.at(layer, 0));
    for (const moved of [...rounded.displacement, ...trained.displacement]) expect(moved).toBeGreaterThan(0);
  });

  it("accounts for every byte", () => {
    for (const { live, peak, byCategory } of memory().devices) {
      expect(byCategory.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(live);
      expect(byCategory.reduce((sum, { atPeak }) => sum + atPeak, 0)).toBe(peak);
    }
  });
});
