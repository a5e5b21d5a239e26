/** How the engine was compiled, read from the addon's symbols. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const addon = fileURLToPath(new URL("../../native/nibble-lab.node", import.meta.url));

describe("vector operations", () => {
  // A closure that the compiler leaves out of line loses the instruction set around it, and each of its vector operations becomes a
  // call: ten times slower, with the same results. Such operations are functions of their own.
  test.skipIf(process.platform === "win32")("are parts of the loops that use them", () => {
    const symbols = execFileSync("nm", [addon], { encoding: "utf8", maxBuffer: 2 ** 28 }).split("\n");
    const compiled = symbols.filter((line) => line.includes("vectorize_"));
    const called = symbols.filter((line) => /simd_trait.*kernel.*__fearless_simd_kernel/.test(line));
    expect(compiled).not.toEqual([]);
    expect(called).toEqual([]);
  });
});
