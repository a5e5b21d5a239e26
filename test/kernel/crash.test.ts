import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, errorOf, streamText } from "./client.js";

let client: Client;
beforeAll(async () => {
  client = await Client.warm();
});
afterAll(() => client.stop());

/** Each ends the process that runs cells in its own way. */
const rows: readonly (readonly [string, string, RegExp])[] = [
  ["process.exit", "console.log('before'); process.exit(3)", /exited with code 3/],
  ["a segmentation fault", "console.log('before'); process.kill(process.pid, 'SIGSEGV'); for (;;);", /SIGSEGV/],
  ["an abort", "console.log('before'); process.abort()", /SIGABRT/],
];

describe("an executor that runs out of memory", { timeout: 240_000 }, () => {
  it("is told in the cell as well, and the next cell runs", async () => {
    const small = await Client.warm({ env: { NODE_OPTIONS: "--max-old-space-size=120" } });
    const died = await small.execute("const hoard: number[][] = []; for (;;) hoard.push(new Array(10_000).fill(0.5))");
    expect(errorOf(died)).toMatchObject({ ename: "KernelProcessDied" });
    expect(errorOf(died).evalue).toMatch(/ran out of memory/);
    expect(await small.value("1 + 1")).toBe("2");
    await small.stop();
  });
});

describe("a shutdown", () => {
  it("lets cells' exit handlers run", async () => {
    const other = await Client.warm();
    const file = join(mkdtempSync(join(tmpdir(), "nibble-exit-")), "farewell");
    await other.value(`process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(file)}, "bye"))`);
    await other.stop();
    expect(readFileSync(file, "utf8")).toBe("bye");
  });

  it("ends a cell that computes, and its process", async () => {
    const other = await Client.warm();
    const pid = Number(await other.value("process.pid"));
    const id = await other.start("console.log('in'); for (;;);");
    await other.published((message) => message.type === "stream" && message.parent["msg_id"] === id);
    await other.stop();
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});

describe("the executor's death", () => {
  it.each(rows)("by %s is told in the cell, and the next cell runs", async (_name, code, how) => {
    await client.value("let lost = 1");
    const died = await client.execute(code);
    expect(errorOf(died)).toMatchObject({ ename: "KernelProcessDied" });
    expect(errorOf(died).evalue).toMatch(how);
    expect(errorOf(died).evalue).toMatch(/variables.* are lost/);
    expect(await client.value("typeof lost")).toBe("'undefined'");
    expect(await client.value("const again = 7; again")).toBe("7");
  });

  it("by process.exit loses nothing that was printed", async () => {
    const { published } = await client.execute("for (let i = 0; i < 5000; i++) console.log(i); process.exit()");
    expect(streamText(published).trimEnd().split("\n").length).toBe(5000);
  });

  it("keeps history and the count of cells", async () => {
    const before = (await client.execute("'remembered'")).reply.content["execution_count"] as number;
    await client.execute("process.exit()");
    expect((await client.execute("1")).reply.content["execution_count"]).toBe(before + 2);
    const { content } = await client.request("shell", "history_request", {
      output: false,
      raw: true,
      hist_access_type: "search",
      pattern: "'remembered'",
    });
    expect((content["history"] as unknown[]).length).toBe(1);
  });

  it("closes every comm", async () => {
    await client.send("shell", "comm_open", {
      comm_id: "panel",
      target_name: "nibble-lab",
      data: { schemas: [1], topics: [] },
    });
    await client.published((message) => message.type === "comm_msg" && message.content["comm_id"] === "panel");
    await client.execute("process.exit()");
    await client.published((message) => message.type === "comm_close" && message.content["comm_id"] === "panel");
    const { content } = await client.request("shell", "comm_info_request");
    expect(content["comms"]).toEqual({});
  });

  it("is brought about by further interrupts where nothing else helps", async () => {
    const id = await client.start("console.log('in'); require('node:child_process').spawnSync('sleep', ['20'])");
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === id);
    let isOver = false;
    const ended = client.finished(id).then((executed) => {
      isOver = true;
      return executed;
    });
    while (!isOver) await client.request("control", "interrupt_request");
    expect(errorOf(await ended)).toMatchObject({ ename: "Interrupted" });
    expect(errorOf(await ended).evalue).toMatch(/its process was ended.*variables.* are lost/);
    expect(await client.value("1")).toBe("1");
  });

  it("does not come from endless recursion", async () => {
    await client.value("let still = 1");
    expect(errorOf(await client.execute("const deep = (): number => 1 + deep(); deep()"))).toMatchObject({
      ename: "RangeError",
    });
    expect(await client.value("still")).toBe("1");
  });
});
