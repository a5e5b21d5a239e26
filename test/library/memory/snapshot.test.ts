import { describe, expect, it } from "vitest";
import { memory, quantize, resetPeakMemory, scope, Tensor, train, tune } from "nibble-lab";
import { tinyModel, tinyTokens } from "../tiny-model.js";

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe("memory", () => {
  it("adds up: categories to the total, and at the peak to the peak", async () => {
    using model = tinyModel();
    using small = tune(await quantize(model, { method: "rtn", bits: 4 }), { method: "peqa" });
    resetPeakMemory();
    await train(small, { data: tinyTokens(300), steps: 2, batchSize: 2, length: 16 });
    const snapshot = memory({ owners: 1000 });
    expect(snapshot.devices.length).toBeGreaterThan(0);
    for (const { device, live, peak, byCategory } of snapshot.devices) {
      expect(sum(byCategory.map(({ bytes }) => bytes))).toBe(live);
      expect(sum(byCategory.map(({ atPeak }) => atPeak))).toBe(peak);
      expect(sum(snapshot.owners.filter((owner) => owner.device === device).map(({ bytes }) => bytes))).toBe(live);
    }
    const atPeak = Object.fromEntries(
      snapshot.devices[0]!.byCategory.map(({ category, atPeak: bytes }) => [category, bytes]),
    );
    expect(atPeak["optimizer"]).toBe(2 * sum([...small.trainableParameters().values()].map(({ bytes }) => bytes)));
    expect(atPeak["activations"]).toBeGreaterThan(0);
  });

  it("sees what is allocated and freed, under its category and owner", () => {
    const bytes = () => memory().devices[0]!.byCategory.find(({ category }) => category === "cache")!.bytes;
    const before = bytes();
    const tensor = Tensor.zeros([1000], { category: "cache", owner: "a test's tensor" });
    expect(bytes()).toBe(before + 4000);
    const owner = memory({ owners: 1000 }).owners.find((one) => one.owner === "a test's tensor");
    expect(owner).toEqual({ owner: "a test's tensor", category: "cache", device: "cpu", bytes: 4000 });
    tensor.dispose();
    expect(bytes()).toBe(before);
  });

  it("refuses options that it does not have", () => {
    expect(() => memory({ owner: 3 } as never)).toThrow(
      '[memory] Unknown option "owner". Allowed: owners. Did you mean "owners"?',
    );
    expect(() => memory({ owners: 0 })).toThrow("owners is 0.");
  });

  it("shows categories, totals and owners, as text and as a table", () => {
    scope(() => {
      Tensor.zeros([1 << 20], { category: "weights", owner: "<big>" });
      const bundle = (memory() as unknown as Record<symbol, () => Record<string, string>>)[
        Symbol.for("Jupyter.display")
      ]!();
      for (const text of [
        "Memory on cpu",
        "weights",
        "optimizer",
        "total",
        "Largest owners",
        "<big>",
        "4.00 MiB",
        "The whole process holds",
      ])
        expect(bundle["text/plain"]).toContain(text);
      expect(bundle["text/html"]).toContain("&#60;big&#62;");
      expect(bundle["text/html"]).toContain("█");
    });
  });
});
