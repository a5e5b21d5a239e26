import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

interface Output {
  readonly output_type: string;
  readonly data?: Readonly<Record<string, unknown>>;
}
interface Cell {
  readonly cell_type: string;
  readonly outputs?: readonly Output[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, "notebooks");
const notebooks = readdirSync(folder).filter((name) => name.endsWith(".ipynb"));

/** Each notebook asserts what it says; here it only has to run, and to show what it promises. */
describe("notebooks", () => {
  it.each(notebooks)("%s runs from top to bottom without a browser", { timeout: 600_000 }, async (name) => {
    const out = join(mkdtempSync(join(tmpdir(), "nibble-lab-notebook-")), name);
    const script = [join(root, "kernel/setup/execute.py"), join(folder, name), out];
    await promisify(execFile)(join(root, ".venv/bin/python"), script);

    const { cells } = JSON.parse(readFileSync(out, "utf8")) as { cells: readonly Cell[] };
    const outputs = cells.flatMap((cell) => cell.outputs ?? []);
    expect(outputs.map((output) => output.output_type)).not.toContain("error");
    for (const { data } of outputs.filter((output) => output.data !== undefined)) {
      expect(Object.keys(data!)).toContain("text/plain");
    }
    if (name === "00-tour.ipynb") {
      const shown = outputs.flatMap((output) => Object.keys(output.data ?? {}));
      expect(shown).toContain("application/vnd.plotly.v1+json");
      expect(shown).toContain("text/html");
    }
  });
});
