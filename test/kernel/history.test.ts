import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { History } from "@nibble-lab/kernel/lib/session/history.js";
import { HistoryFiles } from "@nibble-lab/kernel/lib/session/history-files.js";
import { describe, expect, it } from "vitest";
import { Client } from "./client.js";

type Row = [session: number, line: number, input: string | [string, string | null]];
const emptyFolder = () => join(mkdtempSync(join(tmpdir(), "nibble-history-")), "history");
const rows = (history: History, asked: object) => history.reply({ output: false, ...asked })["history"] as Row[];

/** A kernel that ran these cells in a folder. */
function kernelWith(folder: string, inputs: readonly string[]): History {
  const history = new History(new HistoryFiles(folder));
  inputs.forEach((input, index) => history.add(index + 1, input));
  return history;
}

describe("history", () => {
  it("goes on in the next kernel, which counts one session more", () => {
    const folder = emptyFolder();
    kernelWith(folder, ["one", "two"]);
    const second = kernelWith(folder, ["three"]);
    expect(rows(second, { hist_access_type: "tail", n: 2 })).toEqual([
      [1, 2, "two"],
      [2, 1, "three"],
    ]);
    expect(rows(second, { hist_access_type: "range", session: -1, start: 1, stop: 2 })).toEqual([[1, 1, "one"]]);
    expect(rows(second, { hist_access_type: "range", session: 0, start: 0, stop: 9 })).toEqual([[2, 1, "three"]]);
  });

  it("is there for a kernel that has run nothing yet, and leaves no trace of it", () => {
    const folder = emptyFolder();
    kernelWith(folder, ["one"]);
    const idle = kernelWith(folder, []);
    expect(rows(idle, { hist_access_type: "tail", n: 5 })).toEqual([[1, 1, "one"]]);
    expect(rows(idle, { hist_access_type: "range", session: -1, start: 1, stop: 2 })).toEqual([[1, 1, "one"]]);
    expect(readdirSync(folder)).toEqual(["1.jsonl"]);
  });

  it("keeps kernels that run side by side apart", () => {
    const folder = emptyFolder();
    const [first, second] = [new History(new HistoryFiles(folder)), new History(new HistoryFiles(folder))];
    first.add(1, "mine");
    second.add(1, "yours");
    first.add(2, "mine again");
    expect(rows(first, { hist_access_type: "range", session: 0, start: 0, stop: 9 })).toEqual([
      [1, 1, "mine"],
      [1, 2, "mine again"],
    ]);
    expect(rows(second, { hist_access_type: "range", session: 0, start: 0, stop: 9 })).toEqual([[2, 1, "yours"]]);
  });

  it("finds by wildcards over all sessions; unique keeps the last of each input, n the last that fit", () => {
    const folder = emptyFolder();
    kernelWith(folder, ["needle 1", "hay", "needle 2", "needle 1"]);
    const history = kernelWith(folder, ["needle 1", "needle 3", "\nneedle"]);
    const search = (asked: object) => rows(history, { hist_access_type: "search", ...asked }).map((row) => row[2]);
    expect(search({ pattern: "needle ?" })).toEqual(["needle 1", "needle 2", "needle 1", "needle 1", "needle 3"]);
    expect(search({ pattern: "needle ?", unique: true })).toEqual(["needle 2", "needle 1", "needle 3"]);
    expect(search({ pattern: "needle ?", unique: true, n: 2 })).toEqual(["needle 1", "needle 3"]);
    expect(search({ pattern: "*[a-z].*" })).toEqual([]);
  });

  it("gives outputs where they are asked for, also those of an earlier kernel", () => {
    const folder = emptyFolder();
    const first = kernelWith(folder, ["6 * 7", "let x"]);
    first.setOutput(1, "42");
    const asked = { hist_access_type: "tail", n: 2, output: true };
    const expected = [
      [1, 1, ["6 * 7", "42"]],
      [1, 2, ["let x", null]],
    ];
    expect(rows(first, asked)).toEqual(expected);
    expect(rows(kernelWith(folder, []), asked)).toEqual(expected);
  });

  it("leaves out a line that a crash cut off", () => {
    const folder = emptyFolder();
    kernelWith(folder, ["whole"]);
    const file = join(folder, "1.jsonl");
    writeFileSync(file, `${readFileSync(file, "utf8")}{"line":2,"inp`);
    expect(rows(kernelWith(folder, []), { hist_access_type: "tail", n: 5 })).toEqual([[1, 1, "whole"]]);
  });

  it("outlives the kernel in Jupyter's data folder, but for silent cells", async () => {
    const data = mkdtempSync(join(tmpdir(), "nibble-data-"));
    const first = await Client.start({ env: { JUPYTER_DATA_DIR: data } });
    await first.execute("'of the first kernel'");
    await first.execute("'unheard'", { silent: true });
    await first.stop();
    const second = await Client.start({ env: { JUPYTER_DATA_DIR: data } });
    const { content } = await second.request("shell", "history_request", {
      ...{ hist_access_type: "tail", n: 9, output: true, raw: true },
    });
    await second.stop();
    expect(content["history"]).toEqual([[1, 1, ["'of the first kernel'", "'of the first kernel'"]]]);
  });
});
