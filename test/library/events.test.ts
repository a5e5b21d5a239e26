import { expect, it } from "vitest";
import { Emitter } from "nibble-lab/events";

const step = { id: "a", label: "loading", done: 1, total: 2, unit: "tensors" };

it("calls listeners of that name in order until they are taken off", () => {
  const emitter = new Emitter();
  const seen: string[] = [];
  const off = emitter.on("progress", () => seen.push("first"));
  emitter.on("progress", () => seen.push("second"));
  emitter.on("training.end", () => seen.push("other"));
  emitter.emit("progress", step);
  off();
  emitter.emit("progress", step);
  expect(seen).toEqual(["first", "second", "second"]);
  expect([emitter.heard("progress"), emitter.heard("pca.comparison")]).toEqual([true, false]);
});
