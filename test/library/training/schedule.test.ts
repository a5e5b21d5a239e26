import { describe, expect, it } from "vitest";
import { learningRateAt } from "../../../kernel/library/lib/training/schedule.js";

const at = (schedule: "constant" | "linear" | "cosine", warmup = 0) =>
  Array.from({ length: 8 }, (_, i) => learningRateAt(i + 1, { schedule, learningRate: 1, steps: 8, warmup }));

describe("learning rate", () => {
  it("stays, falls in a line, or falls in half a cosine, and would reach 0 one step after the last", () => {
    expect(at("constant")).toEqual(Array(8).fill(1));
    expect(at("linear")).toEqual([1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]);
    const cosine = at("cosine");
    expect(cosine[0]).toBe(1);
    expect(cosine[4]).toBeCloseTo(0.5, 12);
    expect(cosine[7]).toBeCloseTo((1 + Math.cos((7 * Math.PI) / 8)) / 2, 12);
  });

  it("rises in a line over the warm-up, and then begins the schedule at its top", () => {
    expect(at("linear", 4)).toEqual([1 / 4, 2 / 4, 3 / 4, 1, 1, 3 / 4, 2 / 4, 1 / 4]);
    expect(at("constant", 2).slice(0, 3)).toEqual([1 / 2, 1, 1]);
  });
});
