/** One measurement of ours: training-step.js full|qlora|peqa f32|bf16 HIDDEN LAYERS INNER VOCABULARY BATCH LENGTH. */
import { createModel, memory, quantize, train, tune, type LanguageModel, type Precision } from "nibble-lab";

const STEPS = 4;
const [kind, precision, ...sizes] = process.argv.slice(2);
const [hidden, layers, inner, vocabulary, batchSize, length] = sizes.map(Number) as [
  number,
  number,
  number,
  number,
  number,
  number,
];
const prepare = {
  full: (model: LanguageModel) => Promise.resolve(tune(model, { method: "full" })),
  qlora: async (model: LanguageModel) => {
    using dense = model;
    return tune(await quantize(dense, { method: "nf4", doubleQuant: true }), { method: "lora", rank: 16 });
  },
  peqa: async (model: LanguageModel) => {
    using dense = model;
    return tune(await quantize(dense, { method: "rtn", bits: 4, group: "channel" }), { method: "peqa" });
  },
};
const heads = Math.max(1, Math.floor(hidden / 64));
const model = createModel(
  {
    vocabSize: vocabulary,
    hiddenSize: hidden,
    intermediateSize: inner,
    layers,
    heads,
    maxPositions: 2048,
    tieEmbeddings: false,
  },
  { seed: 0, precision: precision as Precision },
);
const tuned = await prepare[kind as keyof typeof prepare](model);
const tokens = Int32Array.from({ length: (STEPS + 2) * batchSize * (length + 1) }, (_, i) => (i * 7919) % vocabulary);

const speeds: number[] = [];
for await (const step of train(tuned, { data: tokens, steps: STEPS + 1, batchSize, length, learningRate: 1e-4 })) {
  if (step.step > 1) speeds.push(step.tokensPerSecond);
}
speeds.sort((a, b) => a - b);
const peakBytes = process.resourceUsage().maxRSS * 1024;
const enginePeak = memory().devices.reduce((sum, device) => sum + device.peak, 0);
console.log(JSON.stringify({ tokensPerSecond: speeds[Math.floor(speeds.length / 2)], peakBytes, enginePeak }));
