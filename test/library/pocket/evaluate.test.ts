import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const command = fileURLToPath(new URL("../../../kernel/library/pocket/training/lib/evaluate.js", import.meta.url));

it("the evaluation command prints a table for each width, and writes the same as JSON", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pocket-evaluate-"));
  const json = join(folder, "abilities.json");
  const args = [command, "--items", "4", "--tasks", "honest,arithmetic", "--bits", "2", "--json", json];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout.match(/^\| True\/False, honest \| 4 \| 0\.\d{3} \| /gm)?.length).toBe(2);
  expect(stdout.match(/^perplexity \d/gm)?.length).toBe(2);
  expect(stdout).toContain("2-bit");
  const tables = JSON.parse(readFileSync(json, "utf8")) as { rows: { task: string; items: number }[] }[];
  expect(tables.map(({ rows }) => rows.map(({ task, items }) => `${task} ${items}`))).toEqual([
    ["honest 4", "arithmetic 4"],
    ["honest 4", "arithmetic 4"],
  ]);
  rmSync(folder, { recursive: true });
}, 120_000);
