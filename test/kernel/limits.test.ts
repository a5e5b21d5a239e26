import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OutputBudget } from "@nibble-lab/kernel/lib/executor/budget.js";
import { Client, streamText, type Message } from "./client.js";

let client: Client;
beforeAll(async () => {
  client = await Client.warm();
});
afterAll(() => client.stop());

const LIMIT = 64_000_000;
const NOTICE = /The cell printed 64,000,000 characters, the most that is shown/;

/** The most that the protocol process ever held, in bytes. */
function peakOfProtocolProcess(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${client.process.pid}/status`, "utf8"))![1]) * 1024;
}

describe("output budget", () => {
  it("counts each cell for itself, cuts where the limit is, and says once what it did", () => {
    const budget = new OutputBudget(10);
    expect(budget.take(1, "12345678")).toEqual({ text: "12345678", notice: "" });
    expect(budget.take(1, "9abc")).toMatchObject({ text: "9a" });
    expect(budget.take(1, "more")).toEqual({ text: "", notice: "" });
    expect(budget.take(2, "other")).toEqual({ text: "other", notice: "" });
    expect(budget.summary(1)).toBe("[output] 6 characters were dropped.\n");
    expect(budget.summary(2)).toBe("");
  });

  it("cuts with a notice", () => {
    expect(new OutputBudget(3).take(1, "1234").notice).toMatch(/printed 3 characters, the most that is shown.*a file/);
  });
});

describe("much output", { timeout: 240_000 }, () => {
  it("of 100,000 lines arrives whole and in order before idle", async () => {
    const { published } = await client.execute(
      "for (let line = 0; line < 100_000; line++) console.log(`line ${line}`)",
    );
    const lines = streamText(published).trimEnd().split("\n");
    expect(lines.length).toBe(100_000);
    expect(lines.every((line, index) => line === `line ${index}`)).toBe(true);
  });

  it("of one print of 50 MB arrives whole", async () => {
    const { published } = await client.execute("console.log('x'.repeat(50_000_000))");
    expect(streamText(published)).toBe(`${"x".repeat(50_000_000)}\n`);
  });

  it("of 1 GB is cut at the limit, says how much was dropped, and takes no more memory than its share", async () => {
    const id = await client.start(
      "const line = 'y'.repeat(999_999);\nfor (let i = 0; i < 1000; i++) console.log(line)",
    );
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === id);
    expect(await client.heartbeat("still there")).toBe("still there");
    const { reply, published } = await client.finished(id);
    expect(reply.content["status"]).toBe("ok");
    expect(streamText(published).length).toBe(LIMIT);
    expect(streamText(published, "stderr")).toMatch(NOTICE);
    expect(streamText(published, "stderr")).toContain("936,000,000 characters were dropped");
    expect(peakOfProtocolProcess()).toBeLessThan(600e6);
    expect(await client.value("'next cell'")).toBe("'next cell'");
  });

  it("of native code is cut at the same limit", async () => {
    const { published } = await client.execute(
      "require('node:child_process').spawnSync('head', ['-c', '70000000', '/dev/zero'], { stdio: 'inherit' }).status",
    );
    expect(streamText(published).length).toBe(LIMIT);
    expect(streamText(published, "stderr")).toMatch(NOTICE);
    expect(streamText(published, "stderr")).toContain("6,000,000 characters were dropped");
  });

  it("on both streams keeps the order within each", async () => {
    const { published } = await client.execute(
      "for (let i = 0; i < 2000; i++) { console.log(`out ${i}`); console.error(`err ${i}`) }",
    );
    for (const [name, word] of [
      ["stdout", "out"],
      ["stderr", "err"],
    ] as const) {
      const lines = streamText(published, name).trimEnd().split("\n");
      expect(lines).toEqual(Array.from({ length: 2000 }, (_, index) => `${word} ${index}`));
    }
  });
});

describe("while a cell prints without end", () => {
  it("control, completion and comms are answered, and the interrupt ends it", async () => {
    const id = await client.start("for (let i = 0; ; i++) console.log(i)");
    const ofCell = (message: Message) => message.parent["msg_id"] === id;
    await client.published((message) => message.type === "stream" && ofCell(message));
    await client.request("control", "kernel_info_request");
    const completion = await client.request("shell", "complete_request", { code: "consol", cursor_pos: 6 });
    expect(completion.content["matches"]).toEqual(["console"]);
    await client.request("shell", "comm_info_request");
    expect(client.iopub.some((message) => ofCell(message) && message.content["execution_state"] === "idle")).toBe(
      false,
    );
    await client.request("control", "interrupt_request");
    expect((await client.finished(id)).reply.content).toMatchObject({ ename: "Interrupted" });
  });
});
