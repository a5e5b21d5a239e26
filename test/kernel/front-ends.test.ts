import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const bin = fileURLToPath(new URL("../../.venv/bin", import.meta.url));
const reason = existsSync(join(bin, "papermill")) ? null : `${bin} lacks papermill: run npm run build`;
if (reason !== null) console.log(`skipped, front ends in Python: ${reason}`);

const CELLS = [
  "const greeting: string = 'hi';\nconsole.log(greeting)",
  "await new Promise((resolve) => setTimeout(resolve, 10));\ndisplay(html`<b>${greeting}</b>`);\ngreeting.length",
];

interface Output {
  readonly output_type: string;
  readonly text?: string | string[];
  readonly data?: Readonly<Record<string, string | string[]>>;
}

/** Runs a program of the project's own environment in a folder of its own, which holds `in.ipynb`. */
function runs(program: string, args: readonly string[], cells: readonly string[], stdin = "") {
  const folder = mkdtempSync(join(tmpdir(), "nibble-front-end-"));
  writeFileSync(join(folder, "in.ipynb"), JSON.stringify(notebook(cells)));
  const own = (name: string) => join(folder, name);
  const env = {
    ...process.env,
    ...{ JUPYTER_DATA_DIR: own("data"), JUPYTER_RUNTIME_DIR: own("runtime"), JUPYTER_CONFIG_DIR: own("config") },
    ...{ IPYTHONDIR: own("ipython"), TERM: "dumb" },
  };
  const { status, stdout, stderr } = spawnSync(join(bin, program), args, {
    cwd: folder,
    env,
    input: stdin,
    encoding: "utf8",
  });
  const outputs = (name: string) =>
    (JSON.parse(readFileSync(join(folder, name), "utf8")) as { cells: { outputs: Output[] }[] }).cells.map((cell) =>
      cell.outputs.map(shown),
    );
  return { status, text: stdout + stderr, outputs };
}

const text = (value: string | string[] | undefined) => [value ?? ""].flat().join("");
const shown = ({ output_type, text: stream, data }: Output) =>
  `${output_type}: ${stream === undefined ? text(data?.["text/html"] ?? data?.["text/plain"]) : text(stream)}`;

function notebook(cells: readonly string[]): object {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: "nibble-lab", display_name: "TypeScript", language: "typescript" } },
    cells: cells.map((source, index) => ({
      ...{ id: `cell-${index}`, cell_type: "code", metadata: {}, execution_count: null, outputs: [], source },
    })),
  };
}

const EXPECTED = [["stream: hi\n"], ["display_data: <b>hi</b>", "execute_result: 2"]];

describe.skipIf(reason !== null)("front ends in Python", { timeout: 300_000 }, () => {
  it("nbclient executes a notebook", () => {
    const { status, outputs } = runs("jupyter-execute", ["in.ipynb", "--output=out.ipynb"], CELLS);
    expect(status).toBe(0);
    expect(outputs("out.ipynb")).toEqual(EXPECTED);
  });

  it("nbclient stops at a failing cell and says which", () => {
    const { status, text: log } = runs(
      "jupyter-execute",
      ["in.ipynb"],
      ["const fine = 1", "throw new Error('on purpose')", "3"],
    );
    expect(status).not.toBe(0);
    expect(log).toContain("on purpose");
    expect(log).toContain("Cell[2].ts:1:7");
  });

  it("papermill executes a notebook", () => {
    const { status, outputs } = runs("papermill", ["in.ipynb", "out.ipynb"], CELLS);
    expect(status).toBe(0);
    expect(outputs("out.ipynb")).toEqual(EXPECTED);
  });

  it("jupyter console runs lines, shows errors, and answers questions", () => {
    const lines = ["const one = 20", "one + 22", "throw new Error('boom')", "await input('who? ')", "me", "'the end'"];
    const args = [
      "console",
      "--kernel",
      "nibble-lab",
      "--simple-prompt",
      "--ZMQTerminalInteractiveShell.confirm_exit=False",
    ];
    const { status, text: log } = runs("jupyter", args, [], `${lines.join("\n")}\n`);
    expect(status).toBe(0);
    expect(log).toMatch(/Out\[2\]: 42/);
    expect(log).toMatch(/Error: boom\n {2}Cell\[3\]\.ts:1:7/);
    expect(log).toMatch(/who\? .*Out\[4\]: 'me'/);
    expect(log).toMatch(/Out\[5\]: 'the end'/);
  });
});
