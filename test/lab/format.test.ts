import { formatBytes, formatPercent, formatSeconds } from "@nibble-lab/lab-extension/lib/format.js";
import { describe, expect, it } from "vitest";

describe("formatBytes", () => {
  it.for([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.00 kB"],
    [12_345_678, "12.3 MB"],
    [999_600, "1.00 MB"],
    [130e9, "130 GB"],
  ] as const)("writes %d as %s", ([bytes, text]) => {
    expect(formatBytes(bytes, "decimal")).toBe(text);
  });

  it("counts by 1024 unless told otherwise, as memory() in a cell does", () => {
    expect(formatBytes(1024 * 1024 * 1.5)).toBe("1.50 MiB");
  });
});

describe("formatSeconds and formatPercent", () => {
  it("writes minutes and seconds", () => {
    expect([45, 120, 125].map(formatSeconds)).toEqual(["45 s", "2 min", "2 min 5 s"]);
  });

  it("writes a share of one", () => {
    expect(formatPercent(0.1234)).toBe("12.3 %");
  });
});
