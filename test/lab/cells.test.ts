import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Lab, missing } from "./jupyter.js";

const reason = missing();
if (reason !== null) console.log(`skipped, cells in a browser: ${reason}`);

const NOTEBOOK = "cells.ipynb";
const CELLS = [
  `interface Run { method: string; bits: number; perplexity: number }
/** The best of several runs: the one with the least perplexity. */
function best(runs: readonly Run[]): Run { return runs.reduce((a, b) => (b.perplexity < a.perplexity ? b : a)) }
const runs: Run[] = [{ method: "rtn", bits: 4, perplexity: 8.125 }, { method: "nf4", bits: 4, perplexity: 7.5 }]
table(runs, { title: "Quantized" })`,
  `for (const n of progress(Array.from({ length: 30 }, (_, i) => i), { label: "steps" })) await new Promise((next) => setTimeout(next, 100))`,
  `function fail(run: Run): never {
  throw new RangeError("perplexity is " + run.perplexity, { cause: new Error("the cause") })
}
fail(best(runs))`,
  `const wrong: number = best(runs).method`,
  `runs[0].`,
  `best(runs)`,
  `({ data: [{ type: "bar", x: runs.map((run) => run.method), y: runs.map((run) => run.perplexity) }], layout: { height: 260 } })`,
  `%help`,
] as const;

describe.skipIf(reason !== null)("cells in JupyterLab", { timeout: 240_000 }, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.start();
    lab.page.setDefaultTimeout(120_000);
    await lab.open(NOTEBOOK, CELLS);
  }, 240_000);
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });
  const cell = (index: number) => lab.page.locator(".jp-NotebookPanel .jp-Cell").nth(index);

  it("show a table", async () => {
    await lab.run(0);
    await cell(0).locator(".jp-OutputArea table td", { hasText: "8.125" }).waitFor();
  });

  it("show a bar that moves in one place", async () => {
    await lab.run(1);
    const bar = cell(1).locator(".jp-OutputArea-output");
    await bar.locator("text=/[1-9]\\d? of 30, .* left/").waitFor();
    await lab.screenshot("cells-progress");
    await bar.locator("text=/30 of 30, \\d/").waitFor();
    expect(await bar.count()).toBe(1);
    await lab.idle(NOTEBOOK);
  });

  it("show an error with the lines of the cell", async () => {
    await lab.run(2);
    const output = await lab.output(2);
    expect(output).toContain("> 2 |   throw new RangeError(");
    expect(output).toMatch(/at fail \(Cell\[\d+\]\.ts:2:9\)/);
    expect(output).toContain("Caused by Error: the cause");
    await lab.idle(NOTEBOOK);
  });

  it("complete by type, with signatures", async () => {
    await cell(4).locator(".cm-content").click();
    await lab.page.keyboard.press("Control+End");
    await lab.page.keyboard.press("Tab");
    await lab.page.locator(".jp-Completer .jp-Completer-item", { hasText: "perplexity" }).first().waitFor();
    const items = await lab.page.locator(".jp-Completer .jp-Completer-item .jp-Completer-match").allInnerTexts();
    expect(items).toEqual(["bits", "method", "perplexity"]);
    await lab.screenshot("cells-completion");
    await lab.page.keyboard.press("Escape");
  });

  it("say what a name is, with its documentation", async () => {
    await cell(5).locator(".cm-content").click();
    await lab.page.keyboard.press("Home");
    await lab.page.keyboard.press("ArrowRight");
    await lab.page.keyboard.press("Shift+Tab");
    // The tip opens empty and is filled when the kernel has answered.
    const tip = lab.page.locator(".jp-Tooltip", { hasText: "The best of several runs" });
    await tip.waitFor();
    expect(await tip.innerText()).toContain("best(runs: readonly Run[]): Run");
    await lab.screenshot("cells-inspection");
    await lab.page.keyboard.press("Escape");
  });

  it("refuse a mistake in their types", async () => {
    await lab.run(3);
    expect(await lab.output(3)).toContain("Type 'string' is not assignable to type 'number'");
    await lab.screenshot("cells-types");
    await lab.idle(NOTEBOOK);
  });

  it("draw a figure by its shape", async () => {
    await lab.run(6);
    await cell(6).locator('.nl-Plotly[data-drawn="true"] .main-svg').first().waitFor();
    await lab.screenshot("cells-figure");
  });

  it("show the page of a magic", async () => {
    await lab.run(7);
    expect(await lab.output(7)).toContain("%%tslab");
    await lab.screenshot("cells-help");
  });
});
