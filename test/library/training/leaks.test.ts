import { expect, it } from "vitest";
import { liveTensors, memory, train, tune } from "nibble-lab";
import { tinyModel, tinyTokens } from "../tiny-model.js";

it("2,000 steps end with the bytes and tensors of the second", { timeout: 600_000 }, async () => {
  using model = tune(tinyModel({ hiddenSize: 8, intermediateSize: 8, heads: 2 }), { method: "full" });
  const live = () => ({ bytes: memory().devices.map((device) => device.live), tensors: liveTensors() });
  const seen: ReturnType<typeof live>[] = [];
  const options = { data: tinyTokens(600), steps: 2000, batchSize: 1, length: 4, learningRate: 1e-3 };
  for await (const { step } of train(model, options)) if (step === 2 || step === 2000) seen.push(live());
  expect(seen).toHaveLength(2);
  expect(seen[1]).toEqual(seen[0]);
});
