import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, errorOf, streamText } from "./client.js";

let client: Client;
beforeAll(async () => {
  client = await Client.warm();
  await client.value("let kept = 42; const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));");
});
afterAll(() => client.stop());

/** Each prints "in" when it is where the interrupt shall meet it. */
const rows: readonly (readonly [string, string])[] = [
  ["a synchronous loop", "console.log('in'); for (;;);"],
  ["a loop inside try and finally", "console.log('in'); for (;;) { try { for (;;); } finally { kept = 42; } }"],
  ["a synchronous wait", "console.log('in'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"],
  ["a loop after an await", "await sleep(1); console.log('in'); for (;;);"],
  ["a chain of promises", "console.log('in'); for (;;) await null"],
  ["a loop in a timer", "await new Promise(() => setTimeout(() => { console.log('in'); for (;;); }, 1))"],
  ["a loop in an immediate", "await new Promise(() => setImmediate(() => { console.log('in'); for (;;); }))"],
  ["an await that never ends", "console.log('in'); await new Promise(() => {})"],
  ["a loop of short waits", "console.log('in'); for (;;) await sleep(5)"],
  [
    "an iteration over a generator",
    "async function* ticks() { for (;;) { await sleep(5); yield 1; } }\nconsole.log('in'); for await (const tick of ticks());",
  ],
];

describe("interrupt of the engine", () => {
  it.each([
    ["called synchronously", "for (;;) matmul(square, square).dispose()"],
    ["called after an await", "await sleep(1); for (;;) matmul(square, square).dispose()"],
    ["in one long call", "const large = Tensor.zeros([9000, 9000]); console.log('in'); matmul(large, large)"],
  ])("%s ends it and keeps the tensors", async (_name, code) => {
    await client.value("import { matmul, Tensor } from 'nibble-lab'; const square = Tensor.full([700, 700], 1);");
    const id = await client.start(`console.log('in'); ${code}`);
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === id);
    await client.request("control", "interrupt_request");
    expect(errorOf(await client.finished(id)).ename).toMatch(/^Interrupted/);
    expect(await client.value("(await square.array()).slice(0, 2).join()")).toBe("'1,1'");
  });
});

describe("interrupt", () => {
  it.each(rows)("ends %s and keeps the variables", async (_name, code) => {
    const id = await client.start(code);
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === id);
    const { content } = await client.request("control", "interrupt_request");
    expect(content).toEqual({ status: "ok" });
    const ended = await client.finished(id);
    expect(errorOf(ended)).toMatchObject({
      ename: "Interrupted",
      evalue: "The cell was interrupted. Its variables are kept.",
    });
    expect(await client.value("kept")).toBe("42");
  });

  it("lets a cell clean up, and tells who listens to the signal", async () => {
    const id = await client.start(
      "kernel.signal.addEventListener('abort', () => console.log('told'));\nsetTimeout(() => console.log('in'));\ntry { await sleep(1e6) } finally { console.log('cleaned') }",
    );
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === id);
    await client.request("control", "interrupt_request");
    const { published } = await client.finished(id);
    expect(streamText(published)).toBe("in\ntold\ncleaned\n");
  });

  it("ends a cell that has not begun yet", async () => {
    const id = await client.start("await new Promise(() => {})");
    await client.request("control", "interrupt_request");
    expect(errorOf(await client.finished(id)).ename).toBe("Interrupted");
  });

  it("does nothing between cells", async () => {
    await client.request("control", "interrupt_request");
    expect(await client.value("await sleep(1), kept")).toBe("42");
  });
});
