import { describe, expect, it } from "vitest";
import { bootstrap, wilson } from "nibble-lab";

describe("wilson", () => {
  it("ends where the share is 1.96 standard deviations of the end's own distribution away", () => {
    for (const [right, of] of [
      [3, 10],
      [86, 100],
      [199, 200],
    ] as const) {
      const { low, high } = wilson(right, of);
      for (const end of [low, high])
        expect(Math.abs(right / of - end) / Math.sqrt((end * (1 - end)) / of)).toBeCloseTo(1.96, 3);
    }
  });

  it("stays within 0 and 1, and has a width even where all answers are right", () => {
    expect(wilson(0, 20).low).toBe(0);
    expect(wilson(20, 20).high).toBe(1);
    expect(wilson(20, 20).low).toBeCloseTo(0.839, 3);
  });
});

describe("bootstrap", () => {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it("is near Wilson's interval for a share", () => {
    const items = Array.from({ length: 200 }, (_, i) => (i < 120 ? 1 : 0));
    const [{ low, high }, expected] = [bootstrap(items, mean), wilson(120, 200)];
    expect(Math.abs(low - expected.low)).toBeLessThan(0.02);
    expect(Math.abs(high - expected.high)).toBeLessThan(0.02);
  });

  it("follows its seed, and is a point where nothing varies", () => {
    expect(bootstrap([1, 2, 3, 4], mean, { seed: 1 })).toEqual(bootstrap([1, 2, 3, 4], mean, { seed: 1 }));
    expect(bootstrap([5, 5, 5], mean)).toEqual({ low: 5, high: 5 });
  });
});
