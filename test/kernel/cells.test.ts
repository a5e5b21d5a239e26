import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, errorOf } from "./client.js";
import { notebookFolder } from "./snippets/folder.js";

const folder = notebookFolder();
let client: Client;
beforeAll(async () => {
  client = await Client.warm({ cwd: folder });
});
afterAll(async () => {
  await client.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("cells", () => {
  it("keep what a failed cell had defined", async () => {
    await client.execute("const half = 'defined'; throw new Error('stop'); const other = 1");
    expect(await client.value("[half, typeof other]")).toBe("[ 'defined', 'undefined' ]");
  });
});

describe("errors", () => {
  it("show the line and column of the cell, and the frames of cells only", async () => {
    await client.value(
      "function inner(value: number) {\n  // a comment\n  if (value > 1) throw new TypeError('too large')\n}",
    );
    const { ename, evalue, traceback } = errorOf(
      await client.execute("interface Gone { a: number }\n\nconst given: number = 2\ninner(given)"),
    );
    expect([ename, evalue]).toEqual(["TypeError", "too large"]);
    expect(
      traceback.filter((line) => line.startsWith("    at ")).map((line) => line.replace(/Cell\[\d+\]/, "Cell")),
    ).toEqual(["    at inner (Cell.ts:3:24)", "    at Cell.ts:4:1"]);
    expect(traceback).toContain("> 3 |   if (value > 1) throw new TypeError('too large')");
  });

  it("name functions and values as the cell does", async () => {
    await client.value("const notAFunction: any = 3");
    expect(errorOf(await client.execute("notAFunction()")).evalue).toBe("notAFunction is not a function");
    expect(errorOf(await client.execute("missingName")).evalue).toBe("missingName is not defined");
  });

  it("point at what does not parse", async () => {
    const { ename, traceback } = errorOf(await client.execute("const fine = 1\nconst broken = ;"));
    expect(ename).toBe("SyntaxError");
    expect(traceback.join("\n")).toContain("> 2 | const broken = ;\n    |                ^");
  });

  it("refuse one name declared twice in a cell", async () => {
    expect(errorOf(await client.execute("const twice = 1; const twice = 2")).evalue).toMatch(/twice/);
  });

  it("say where a cell waited for what failed", async () => {
    const { traceback } = errorOf(
      await client.execute("const fail = async () => { await null; throw new Error('later') }\n\nawait fail()"),
    );
    expect(traceback.at(-1)).toMatch(/Cell\[\d+\]\.ts:3:7$/);
  });

  it("show causes with their own places", async () => {
    const { traceback } = errorOf(
      await client.execute("const inner = new Error('inner')\nthrow new Error('outer', { cause: inner })"),
    );
    expect(traceback.map((line) => line.replace(/Cell\[\d+\]/, "Cell"))).toEqual([
      "Error: outer",
      "  Cell.ts:2:7",
      "  1 | const inner = new Error('inner')",
      "> 2 | throw new Error('outer', { cause: inner })",
      "    |       ^",
      "    at Cell.ts:2:7",
      "Caused by Error: inner",
      "  Cell.ts:1:15",
      "> 1 | const inner = new Error('inner')",
      "    |               ^",
      "  2 | throw new Error('outer', { cause: inner })",
      "    at Cell.ts:1:15",
    ]);
  });

  it("show each error of an AggregateError", async () => {
    const { traceback } = errorOf(
      await client.execute(
        "await Promise.any([Promise.reject(new Error('one')), Promise.reject(new TypeError('two'))])",
      ),
    );
    expect(traceback).toEqual(expect.arrayContaining(["[0] Error: one", "[1] TypeError: two"]));
  });

  it("show things that are no errors", async () => {
    expect(errorOf(await client.execute("throw 'just text'"))).toMatchObject({ ename: "Thrown", evalue: "just text" });
  });

  it("say which names a module has when one is missing", async () => {
    await client.value("import { notExported } from './esm.mjs'");
    expect(errorOf(await client.execute("notExported")).evalue).toBe(
      '"./esm.mjs" exports no "notExported". It exports: answer, live.',
    );
  });
});
