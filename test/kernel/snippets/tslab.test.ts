import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { inspect } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { notebookFolder } from "./folder.js";
import type { Snippet } from "./snippet.js";
import { groups } from "./table.js";

/** What is used of tslab 1.0.22. */
interface Tslab {
  readonly converter: { createConverter(): { close(): void } };
  readonly executor: {
    createExecutor(
      folder: string,
      converters: object,
      console: { log(value: unknown): void; error(...all: unknown[]): void },
    ): { execute(source: string): Promise<boolean> };
  };
}

const folder = notebookFolder();
const home = process.cwd();
process.chdir(folder); // tslab resolves from there
const require = createRequire(import.meta.url);
const { createConverter } = require("tslab/dist/converter") as Tslab["converter"];
const { createExecutor } = require("tslab/dist/executor") as Tslab["executor"];
const converter = createConverter();
const printed: unknown[] = [];
const executor = createExecutor(
  folder,
  { node: converter, browser: converter, close: () => undefined },
  { log: (value) => void printed.push(value), error: () => undefined },
);
afterAll(() => {
  converter.close();
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

/** The last value as tslab would print it; null where a cell failed. */
async function valueInTslab({ cells }: Snippet): Promise<string | null> {
  for (const cell of cells) {
    printed.length = 0;
    try {
      if (!(await executor.execute(cell))) return null;
    } catch {
      return null;
    }
  }
  return printed.length === 0 ? "" : inspect(printed[0], { depth: 4, breakLength: 100 });
}

/** tslab is the oracle: where it is right, the table must say what it says. Where it is not, the table says so. */
describe.each(Object.entries(groups))("tslab: %s", (_, table) => {
  it.each(table.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
    const agrees = (await valueInTslab(one)) === one.value;
    expect(agrees ? "agrees" : "differs").toBe(one.tslab ?? "agrees");
  });
});
