import { CATEGORIES, type MemorySample } from "@nibble-lab/messages";
import {
  byteTicks,
  cellBands,
  columns,
  deviceAt,
  MemoryHistory,
  windowOf,
  type Instant,
} from "@nibble-lab/lab-extension/lib/memory/model.js";
import { describe, expect, it } from "vitest";

function sample(time: number, weights: number, cell: number | null = null): MemorySample {
  const byCategory = CATEGORIES.map((category) => (category === "weights" ? weights : 0));
  const device = { device: "cpu", live: weights, peak: weights, limit: 0, byCategory, atPeak: byCategory };
  return { kind: "memory.sample", time, devices: [device], owners: [], resident: 0, cell };
}

function history(...samples: MemorySample[]): MemoryHistory {
  const made = new MemoryHistory();
  samples.forEach((one) => made.push(one));
  return made;
}

const live = (instant: Instant): number => deviceAt(instant, "cpu").live;

describe("memory history", () => {
  it("drops a sample that goes back in time", () => {
    const { instants } = history(sample(10, 1), sample(5, 2), sample(11, 3));
    expect(instants.map(({ time }) => time)).toEqual([10, 11]);
  });

  it("marks only the first sample and the one after a break as following a gap", () => {
    const made = history(sample(1, 1), sample(2, 1));
    made.breakLine();
    made.push(sample(3, 1));
    made.push(sample(4, 1));
    expect(made.instants.map(({ afterGap }) => afterGap)).toEqual([true, false, true, false]);
  });

  it("stays bounded and keeps the newest", () => {
    const made = new MemoryHistory();
    for (let time = 0; time < 20_000; time++) made.push(sample(time, time));
    expect(made.instants.length).toBeLessThan(8_000);
    expect(made.latest?.time).toBe(19_999);
  });

  it("answers zeros for a device that it does not know", () => {
    expect(deviceAt(history(sample(1, 7)).instants[0]!, "gpu")).toMatchObject({ live: 0, byCategory: [] });
  });
});

describe("columns", () => {
  it("keeps a spike of one sample however few columns there are", () => {
    const samples = Array.from({ length: 1_000 }, (_, time) => sample(time, time === 637 ? 9_999 : 100));
    for (const width of [1, 7, 100, 999]) {
      const shown = columns(history(...samples).instants, "cpu", 0, 999, width);
      expect(Math.max(...shown.map(live))).toBe(9_999);
      expect(shown.length).toBeLessThanOrEqual(width + 1);
    }
  });

  it("never mixes instants, so that categories still add up to live", () => {
    const samples = Array.from({ length: 50 }, (_, time) => sample(time, (time * 7_919) % 101));
    for (const instant of columns(history(...samples).instants, "cpu", 0, 49, 9)) {
      const { byCategory } = deviceAt(instant, "cpu");
      expect(byCategory.reduce((sum, bytes) => sum + bytes, 0)).toBe(live(instant));
    }
  });
});

describe("windowOf", () => {
  it("holds the last value from before the left edge", () => {
    const { instants } = history(sample(0, 5), sample(100, 6), sample(200, 7));
    expect(windowOf(instants, 150, 250).map(({ time, devices }) => [time, devices[0]?.live])).toEqual([
      [150, 6],
      [200, 7],
    ]);
  });

  it("does not reach across a gap", () => {
    const made = history(sample(0, 5));
    made.breakLine();
    made.push(sample(200, 7));
    expect(windowOf(made.instants, 150, 250).map(({ time }) => time)).toEqual([200]);
  });
});

describe("cellBands", () => {
  it("gives each run of a cell one band that ends where the next state begins", () => {
    const { instants } = history(
      sample(0, 1),
      sample(1, 1, 3),
      sample(2, 1, 3),
      sample(3, 1),
      sample(4, 1, 4),
      sample(5, 1, 5),
      sample(6, 1),
    );
    expect(cellBands(instants)).toEqual([
      { cell: 3, from: 1, to: 3 },
      { cell: 4, from: 4, to: 5 },
      { cell: 5, from: 5, to: 6 },
    ]);
  });

  it("does not stretch a band across a gap", () => {
    const made = history(sample(0, 1, 3), sample(1, 1, 3));
    made.breakLine();
    made.push(sample(9, 1, 3));
    expect(cellBands(made.instants)).toEqual([
      { cell: 3, from: 0, to: 1 },
      { cell: 3, from: 9, to: 9 },
    ]);
  });
});

describe("byteTicks", () => {
  it.for([1, 999, 1_000, 12_345_678, 7e9, 1.5e12])("starts at 0 and reaches %d in equal steps", (top) => {
    const ticks = byteTicks(top, 4);
    expect(ticks[0]).toBe(0);
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(top);
    expect(ticks.length).toBeLessThanOrEqual(7);
    const step = ticks[1]!;
    ticks.forEach((tick, i) => expect(tick).toBeCloseTo(i * step, 3));
  });
});
