import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Lab, missing } from "./jupyter.js";

const reason = missing();
if (reason !== null) console.log(`skipped, JupyterLab in a browser: ${reason}`);

const NOTEBOOK = "panels.ipynb";
const PROMPTS = ["The old lighthouse stands above the harbour.", "Doctors give medicine against a cough."];

const CELLS = [
  `import { comparePca, createModel, loadTokenizer, quantize, train, tune } from "nibble-lab";
const tokenizer = await loadTokenizer("pocket");
const shape = { vocabSize: tokenizer.vocabSize, hiddenSize: 128, intermediateSize: 256, layers: 4, heads: 4 };
const model = createModel({ ...shape, maxPositions: 128 }, { seed: 1, tokenizer, name: "untrained" });
const tuned = tune(await quantize(model, { method: "rtn", bits: 2, group: "channel" }), { method: "peqa" });
let steps = 0;`,
  `for await (const { step } of train(tuned, { data: ${JSON.stringify(PROMPTS.join(" "))}.repeat(200), steps: 100_000, batchSize: 4, length: 64 })) steps = step;`,
  `\`\${steps > 0}, \${model.config.layers} layers\``,
  `await comparePca(model, tuned, { prompts: ${JSON.stringify(PROMPTS)} })`,
] as const;

/** A Plotly plot's axes, as far as the test reads them. */
interface Plot extends Element {
  readonly _fullLayout?: Readonly<Record<string, { readonly range: readonly [number, number] }>>;
}

describe.skipIf(reason !== null)("the panels in JupyterLab", { timeout: 240_000 }, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.start();
    lab.page.setDefaultTimeout(120_000);
    await lab.open(NOTEBOOK, CELLS);
    await lab.command("nibble-lab:open-memory");
  }, 240_000);
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  it("shows the model's bytes as soon as it is there", async () => {
    await lab.run(0);
    await lab.page.locator(".nl-Status", { hasText: /Memory \d[\d.]* MiB/ }).waitFor();
    await lab.output(0);
    await lab.page.locator(".nl-Memory .nl-Table", { hasText: "untrained" }).waitFor();
    await lab.idle(NOTEBOOK);
  });

  it("shows bytes that change while a cell computes", async () => {
    await lab.run(1);
    const seen = await lab.page.evaluate(
      () =>
        new Promise<string[]>((done) => {
          const item = document.querySelector(".nl-Status");
          const values = new Set<string>();
          const watch = new MutationObserver(() => {
            values.add(item?.textContent ?? "");
            if (values.size >= 4) {
              watch.disconnect();
              done([...values]);
            }
          });
          watch.observe(item!, { childList: true, characterData: true, subtree: true });
        }),
    );
    expect(seen.length).toBeGreaterThanOrEqual(4);
    expect(await lab.status(NOTEBOOK)).toBe("busy");
    await lab.page.locator(".nl-Readout", { hasText: "cell [2]" }).waitFor();
    await lab.screenshot("memory-light");
  });

  it("stops a training cell at the stop button and keeps every variable", async () => {
    const stop = lab.page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]');
    const idle = lab.untilIdleAfterClick(NOTEBOOK);
    await stop.click();
    console.log(`idle ${Math.round(await idle)} ms after the click on the stop button`);
    expect(await lab.output(1)).toContain("Interrupt");
    await lab.run(2);
    expect(await lab.output(2)).toContain("true, 4 layers");
  });

  it("opens beside the notebook when two models are compared, once, and draws both on the same axes", async () => {
    await lab.run(3);
    await lab.page.locator(".nl-Pca-stage[data-drawn]").waitFor();
    await lab.output(3);
    await lab.command("nibble-lab:open-pca");
    expect(await lab.page.locator(".nl-Pca").count()).toBe(1);
    const ranges = await lab.page.evaluate(() => {
      const layout = (document.querySelector(".nl-Pca-plot") as Plot | null)?._fullLayout;
      return ["xaxis", "xaxis2", "yaxis", "yaxis2"].map((axis) => layout?.[axis]?.range);
    });
    expect(ranges[0]).toHaveLength(2);
    expect(ranges[1]).toEqual(ranges[0]);
    expect(ranges[3]).toEqual(ranges[2]);
  });

  it("changes the layer and marks a point in both plots by keys", async () => {
    const stage = lab.page.locator(".nl-Pca-stage");
    const before = await stage.getAttribute("data-drawn");
    await stage.focus();
    await lab.page.keyboard.press("ArrowRight");
    await lab.page.locator(`.nl-Pca-stage[data-drawn="${Number(before) + 1}"]`).waitFor();
    await lab.page.keyboard.press("ArrowDown");
    await lab.page.locator(".nl-Tip", { hasText: PROMPTS[0]! }).waitFor();
    expect(await lab.page.locator(".nl-Ring:not([hidden])").count()).toBe(2);
    await lab.screenshot("pca-light");
  });

  it("draws the comparison in the cell too, and never offers to upload it", async () => {
    await lab.page.locator('.jp-OutputArea .nl-Plotly[data-drawn="true"] .main-svg').first().waitFor();
    const titles = await lab.page
      .locator(".modebar-btn")
      .evaluateAll((all) => all.map((one) => one.getAttribute("data-title")));
    expect(titles.length).toBeGreaterThan(0);
    expect(titles.filter((title) => /cloud|edit|upload/i.test(title ?? ""))).toEqual([]);
  });

  it("follows the theme", async () => {
    await lab.command("apputils:change-theme", { theme: "JupyterLab Dark" });
    await lab.page.waitForFunction(() => document.body.dataset["jpThemeLight"] === "false");
    await lab.page.waitForFunction(() => {
      const text = document.querySelector(".nl-Pca-plot .xtitle");
      return text !== null && getComputedStyle(text).fill.includes("255, 255, 255");
    });
    await lab.screenshot("dark");
  });

  it("shows the same numbers as tables", async () => {
    await lab.page.locator(".nl-Pca .nl-Button", { hasText: "Table" }).click();
    const rows = lab.page.locator(".nl-Pca .nl-Table").first().locator("tbody tr");
    await rows.first().waitFor();
    expect(await rows.count()).toBe(4);
    await lab.page.locator(".nl-Memory .nl-Button", { hasText: "Table" }).click();
    await lab.page.locator(".nl-Memory .nl-Table", { hasText: "newest first" }).waitFor();
    await lab.screenshot("tables-dark");
  });

  it("connects again after a restart", async () => {
    await lab.restart(NOTEBOOK);
    await lab.page.locator(".nl-Status", { hasText: /Memory 0 B/ }).waitFor();
    await lab.page.locator(".nl-Memory .nl-Notice", { hasText: "nothing is held yet" }).waitFor();
  });
});
