import { expect, it } from "vitest";
import { formatBytes, formatCount, lineChartSvg, tableBundle } from "../../kernel/library/lib/display.js";

it("writes bytes and counts with their unit", () => {
  expect([0, 1023, 1536, 20 * 1024 ** 2, 123456789012].map(formatBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.50 KiB",
    "20.0 MiB",
    "115 GiB",
  ]);
  expect([9999, 10_000, 2_612_345, 7e9].map(formatCount)).toEqual(["9999", "10.0 k", "2.61 M", "7.00 G"]);
});

it("aligns a table's text, numbers to the right, and escapes its HTML", () => {
  const bundle = tableBundle({
    title: "sizes",
    columns: ["layer", "bytes"],
    rows: [
      ["q<b>", 5],
      ["attention", 1234],
    ],
    note: "all of it",
  });
  expect(bundle["text/plain"]).toBe("sizes\nlayer      bytes\nq<b>           5\nattention   1234\nall of it");
  expect(bundle["text/html"]).toContain("q&#60;b&#62;");
  expect(bundle["text/html"]).not.toContain("<script");
});

it("draws a chart that follows the theme and survives values that are not finite", () => {
  const svg = lineChartSvg({
    title: "loss",
    xLabel: "step",
    yLabel: "nats",
    lines: [{ label: "a", x: [0, 1, 2], y: [3, NaN, 1] }],
  });
  expect(svg).toMatch(/^<svg /);
  expect(svg).toContain("currentColor");
  expect(svg).not.toContain("NaN");
  expect(svg.match(/<polyline points="([^"]*)"/)![1]!.split(" ")).toHaveLength(2);
  expect(lineChartSvg({ title: "", xLabel: "", yLabel: "", lines: [] })).not.toContain("NaN");
});
