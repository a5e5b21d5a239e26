import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, errorOf, type Message } from "./client.js";

let client: Client;
beforeAll(async () => {
  client = await Client.typed();
});
afterAll(() => client.stop());

async function complete(
  code: string,
  cursor = [...code].length,
): Promise<{ matches: string[]; start: number; end: number; typed: Record<string, unknown>[] }> {
  const { content } = await client.request("shell", "complete_request", { code, cursor_pos: cursor });
  const metadata = content["metadata"] as { _jupyter_types_experimental: Record<string, unknown>[] };
  return {
    matches: content["matches"] as string[],
    start: content["cursor_start"] as number,
    end: content["cursor_end"] as number,
    typed: metadata._jupyter_types_experimental,
  };
}

async function inspect(code: string, cursor: number): Promise<string> {
  const { content } = await client.request("shell", "inspect_request", { code, cursor_pos: cursor, detail_level: 0 });
  return ((content["data"] as Record<string, string>)["text/plain"] ?? "").replace(/\s+/g, " ");
}

describe("completion", () => {
  it("offers members by type, with kind and signature", async () => {
    const { matches, typed } = await complete("[1, 2].flatM");
    expect(matches).toEqual(["flatMap"]);
    expect(typed[0]).toMatchObject({ text: "flatMap", type: "method", start: 7, end: 12 });
    expect(typed[0]!["signature"]).toMatch(/\(callback.*U\[\]$/s);
  });

  it("knows names and types of earlier cells", async () => {
    await client.value(
      "interface Animal { species: string; legs: number }\nconst cat: Animal = { species: 'cat', legs: 4 }\nfunction describeAnimal(it: Animal) { return it.species }",
    );
    expect((await complete("cat.")).matches).toEqual(["legs", "species"]);
    expect((await complete("describeA")).matches).toEqual(["describeAnimal"]);
    expect((await complete("const dog: Anim")).matches).toContain("Animal");
  });

  it("takes a name that is declared again from the latest cell", async () => {
    await client.value("let shape = { round: true }");
    await client.value("let shape = { square: 4 }");
    expect((await complete("shape.")).matches).toEqual(["square"]);
  });

  it("knows what earlier cells imported, and what the kernel gives", async () => {
    await client.value("import * as path from 'node:path'");
    expect((await complete("path.basen")).matches).toEqual(["basename"]);
    expect((await complete("clearO")).matches).toEqual(["clearOutput"]);
  });

  it("knows the library's types", async () => {
    await client.value("import { events } from 'nibble-lab/events'");
    expect((await complete("events.hea")).matches).toEqual(["heard"]);
  });

  it("counts in code points, not in UTF-16 units", async () => {
    const code = "'\u{1F9EA}\u{1F9EA}'; Math.hypo";
    expect(await complete(code)).toMatchObject({ matches: ["hypot"], start: 11, end: 15 });
  });

  it("answers while a cell computes, with the names of the cell that runs", async () => {
    const id = await client.start("const runningNow = { field: 1 }; console.log('in'); for (;;);");
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === id);
    expect((await complete("runningNow.")).matches).toEqual(["field"]);
    expect(await inspect("runningNow", 3)).toContain("field: number");
    const isIdle = (message: Message) =>
      message.content["execution_state"] === "idle" && message.parent["msg_id"] === id;
    expect(client.iopub.some(isIdle)).toBe(false);
    await client.request("control", "interrupt_request");
    expect(errorOf(await client.finished(id)).ename).toBe("Interrupted");
  });
});

describe("inspection", () => {
  it("gives type and documentation", async () => {
    await client.value("/** Adds one. */\nfunction increment(value: number): number { return value + 1 }");
    expect(await inspect("increment(2)", 4)).toBe("function increment(value: number): number Adds one.");
    expect(await inspect("cat", 3)).toBe("const cat: Animal");
  });

  it("finds nothing where nothing is", async () => {
    const { content } = await client.request("shell", "inspect_request", {
      code: "   ",
      cursor_pos: 1,
      detail_level: 0,
    });
    expect(content).toEqual({ status: "ok", found: false, data: {}, metadata: {} });
  });
});
