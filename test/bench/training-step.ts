/** One measurement of ours: training-step.js qlora|peqa HIDDEN LAYERS INNER VOCABULARY BATCH LENGTH. */
import { createModel, memory, quantize, train, tune } from "nibble-lab";

const STEPS = 4;
const [kind, ...sizes] = process.argv.slice(2);
const [hidden, layers, inner, vocabulary, batchSize, length] = sizes.map(Number) as [
  number,
  number,
  number,
  number,
  number,
  number,
];
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
  { seed: 0 },
);
const small =
  kind === "qlora"
    ? await quantize(model, { method: "nf4", doubleQuant: true })
    : await quantize(model, { method: "rtn", bits: 4, group: "channel" });
model.dispose();
const tuned = kind === "qlora" ? tune(small, { method: "lora", rank: 16 }) : tune(small, { method: "peqa" });
const tokens = Int32Array.from({ length: (STEPS + 2) * batchSize * (length + 1) }, (_, i) => (i * 7919) % vocabulary);

const speeds: number[] = [];
for await (const step of train(tuned, { data: tokens, steps: STEPS + 1, batchSize, length, learningRate: 1e-4 })) {
  if (step.step > 1) speeds.push(step.tokensPerSecond);
}
speeds.sort((a, b) => a - b);
const peakBytes = process.resourceUsage().maxRSS * 1024;
const enginePeak = memory().devices.reduce((sum, device) => sum + device.peak, 0);
console.log(JSON.stringify({ tokensPerSecond: speeds[Math.floor(speeds.length / 2)], peakBytes, enginePeak }));
