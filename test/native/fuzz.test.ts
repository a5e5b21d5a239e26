import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const CODES = [
  "ShapeError",
  "DTypeError",
  "OptionError",
  "UnsupportedError",
  "FormatError",
  "DisposedError",
  "OutOfMemoryError",
  "NumericsError",
];

test("100,000 malformed calls: a typed error or a result each, no crash, no byte left", { timeout: 300_000 }, () => {
  const [seed, calls] = [20261125, 100_000];
  const program = fileURLToPath(new URL("fuzz.mjs", import.meta.url));
  const child = spawnSync(process.execPath, [program, String(seed), String(calls)], { encoding: "utf8" });
  expect({ status: child.status, signal: child.signal }, child.stderr.slice(-2000)).toEqual({
    status: 0,
    signal: null,
  });
  const { outcomes, unknown, live, tensors } = JSON.parse(child.stdout) as {
    outcomes: Record<string, number>;
    unknown: string[];
    live: number;
    tensors: number;
  };
  expect(unknown).toEqual([]);
  // A job may be stopped by a jobStop that hits its number.
  const allowed = new Set([...CODES, "InterruptedError", "returned", "resolved", "getter"]);
  expect(Object.keys(outcomes).filter((outcome) => !allowed.has(outcome))).toEqual([]);
  for (const code of [
    "ShapeError",
    "DTypeError",
    "OptionError",
    "DisposedError",
    "NumericsError",
    "returned",
    "resolved",
  ])
    expect(outcomes[code] ?? 0, code).toBeGreaterThan(100);
  expect({ live, tensors }).toEqual({ live: 0, tensors: 0 });
});
