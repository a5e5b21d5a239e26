import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, errorOf, streamText, type Executed } from "./client.js";

const folder = mkdtempSync(join(tmpdir(), "nibble types ü-"));
let client: Client;
beforeAll(async () => {
  client = await Client.typed({ cwd: folder });
});
afterAll(async () => {
  await client.stop();
  rmSync(folder, { recursive: true, force: true });
});

const traceback = (executed: Executed): string[] =>
  errorOf(executed).traceback.map((line) => line.replace(/Cell\[\d+\]/, "Cell"));

describe("a mistake in the types of a cell", () => {
  it("is shown with the cell's line and carets, and nothing runs", async () => {
    const executed = await client.execute("console.log('ran')\nconst wrong: number = ['text'].join()\n3");
    expect(streamText(executed.published)).toBe("");
    expect(errorOf(executed)).toMatchObject({
      ename: "TypeScriptError",
      evalue: "Type 'string' is not assignable to type 'number'. (TS2322)",
    });
    expect(traceback(executed)).toEqual([
      "TypeScriptError: Type 'string' is not assignable to type 'number'. (TS2322)",
      "  Cell.ts:2:7",
      "  1 | console.log('ran')",
      "> 2 | const wrong: number = ['text'].join()",
      "    |       ^^^^^",
      "  3 | 3",
      "Nothing was run. `%types warn` runs such cells, `%types off` does not check.",
    ]);
    expect(await client.value("typeof wrong")).toBe("'undefined'");
  });

  it("is found by the types of earlier cells", async () => {
    await client.value("interface Named { name: string }\nfunction greet(it: Named) { return it.name }");
    expect(errorOf(await client.execute("greet({ nmae: 'x' })")).evalue).toContain(
      "'nmae' does not exist in type 'Named'",
    );
    await client.value("const fixed = 1");
    expect(errorOf(await client.execute("fixed = 2")).evalue).toContain("Cannot assign to 'fixed'");
  });

  it("is told and the cell runs after %types warn; after %types off nobody looks", async () => {
    const code = "const warned: number = 'text' as any as string\nwarned";
    await client.execute("%types warn");
    const warned = await client.execute(code);
    expect(streamText(warned.published, "stderr")).toContain("not assignable to type 'number'. (TS2322)\n  Cell[");
    expect(warned.reply.content["status"]).toBe("ok");
    await client.execute("%types off");
    expect(streamText((await client.execute(code)).published, "stderr")).toBe("");
    await client.execute("%types error");
    expect((await client.execute(code)).reply.content["status"]).toBe("error");
  });

  it("does not stop a cell that a later one may make right", async () => {
    const executed = await client.execute("const uses = () => notYetThere + 1; 5");
    expect(executed.reply.content["status"]).toBe("ok");
    expect(streamText(executed.published, "stderr")).toContain("Cannot find name 'notYetThere'");
  });

  it("is none where a type is missing rather than wrong", async () => {
    writeFileSync(join(folder, "untyped.mjs"), "export const loose = { deep: 1 };");
    expect(await client.value("import { loose } from './untyped.mjs'\nloose.deep")).toBe("1");
    expect(await client.value("function plain(value) { return value.anything }\nplain({ anything: 2 })")).toBe("2");
    expect(errorOf(await client.execute("import { nothing } from 'not-installed'")).ename).not.toBe("TypeScriptError");
  });

  it("goes unnoticed while types are still being read: the first cell does not wait", async () => {
    const fresh = await Client.start();
    const first = await fresh.execute("const quick: number = 'text' as any as string\nquick");
    expect(first.reply.content["status"]).toBe("ok");
    // Told as soon as it is known, in that cell.
    const told = await fresh.published((message) => message.type === "stream");
    expect(told.content["text"]).toContain("not assignable to type 'number'. (TS2322)");
    expect(told.parent["msg_id"]).toBe(first.reply.parent["msg_id"]);
    await fresh.stop();
  });
});

describe("a local TypeScript file", () => {
  it("is read again once it changed, also where another file uses it, and not before", async () => {
    const write = (text: string) => writeFileSync(join(folder, "level.ts"), text);
    write("export const level = 1;");
    writeFileSync(
      join(folder, "uses.ts"),
      "import { level } from './level.ts';\nexport const twice = 2 * level;\nexport const made = {};",
    );
    const cell = "import { twice, made } from './uses.ts'\ntwice";
    expect(await client.value(cell)).toBe("2");
    await client.value("const first = made");
    expect(await client.value(cell)).toBe("2");
    expect(await client.value("made === first")).toBe("true");
    write("export const level = 21; // changed");
    expect(await client.value(cell)).toBe("42");
    expect(await client.value("made === first")).toBe("false");
  });

  it("is read again by the types as well", async () => {
    writeFileSync(join(folder, "shape.ts"), "export const shape = { round: true };");
    expect(await client.value("import { shape } from './shape.ts'\nshape.round")).toBe("true");
    writeFileSync(join(folder, "shape.ts"), "export const shape = { corners: 4 }; // changed");
    expect(await client.value("import { shape } from './shape.ts'\nshape.corners")).toBe("4");
  });

  it("shows its own lines in errors", async () => {
    writeFileSync(
      join(folder, "fails.ts"),
      "interface Erased {\n  a: number;\n}\nexport function fails(value: Erased): never {\n  throw new RangeError(`got ${value.a}`);\n}",
    );
    const executed = await client.execute("import { fails } from './fails.ts'\n\nfails({ a: 1 })");
    expect(traceback(executed).filter((line) => line.startsWith("    at "))).toEqual([
      "    at fails (fails.ts:5:9)",
      "    at Cell.ts:3:1",
    ]);
  });
});

describe("magics", () => {
  const page = ({ reply }: Executed): string =>
    (reply.content["payload"] as { data: Record<string, string> }[])[0]?.data["text/plain"] ?? "";

  it("are listed when one is unknown", async () => {
    expect(errorOf(await client.execute("%lsmagic")).evalue).toBe(
      "[magic] %lsmagic is unknown. Supported: %help, %types, %reset, %time, %%js, %%tslab. %help says what they do.",
    );
    expect(errorOf(await client.execute("%types strict")).evalue).toContain("Supported: error, warn, off.");
  });

  it("say which mode of types holds", async () => {
    expect(page(await client.execute("%types"))).toBe("Types: error: a cell with a mistake in its types does not run.");
  });

  it("measure a cell, which keeps its result and its lines", async () => {
    const executed = await client.execute("%time await new Promise((done) => setTimeout(done, 20)); 'done'");
    expect(streamText(executed.published)).toMatch(/^Wall time: \d[\d.]* m?s\n$/);
    expect(executed.published.some(({ type }) => type === "execute_result")).toBe(true);
    expect(traceback(await client.execute("%time\nthrow new Error('here')"))).toContain(
      "> 2 | throw new Error('here')",
    );
  });

  it("run JavaScript without a look at types", async () => {
    expect(await client.value("%%js\nfunction anyway(a) { return a.b }\nanyway({ b: 'js' })")).toBe("'js'");
    expect(await client.value("anyway({ b: 1 })")).toBe("1");
  });

  it("run a cell through tslab's converter, on the same names", async () => {
    await client.value("const fromHere = 20");
    expect(
      await client.value("%%tslab\nimport { sep } from 'path'\nlet fromThere: number = fromHere + 1\nfromThere + sep"),
    ).toBe("'21/'");
    expect(await client.value("fromThere + 1")).toBe("22");
    expect(await client.value("%%tslab\nfromThere = 5; await Promise.resolve(fromThere)")).toBe("5");
    expect(errorOf(await client.execute("%%tslab\nconst bad: string = fromThere")).evalue).toContain("not assignable");
    expect(traceback(await client.execute("%%tslab\nthrow new Error('no place')"))).toEqual([
      "Error: no place",
      "    at Cell.ts",
    ]);
  });

  it("forget everything, and the count goes on", async () => {
    await client.value("const forgotten = 1");
    const { reply } = await client.execute("%reset");
    expect(await client.value("typeof forgotten")).toBe("'undefined'");
    const next = await client.execute("1");
    expect(next.reply.content["execution_count"]).toBe((reply.content["execution_count"] as number) + 2);
  });
});
