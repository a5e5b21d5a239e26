import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, streamText, type Executed, type Message } from "./client.js";

/** The 26 checks of the public suite "kernel-testbed", by their names there, in four tiers. */
let client: Client;
beforeAll(async () => {
  client = await Client.warm();
});
afterAll(() => client.stop());

const types = ({ published }: Executed) => published.map((message) => message.type);
const content = async (channel: "shell" | "control", type: string, asked: object = {}) =>
  (await client.request(channel, type, asked)).content;
const complete = "const answer = 42; answer";

describe("kernel-testbed, basic protocol", () => {
  it("heartbeat_responds", async () => {
    expect(await client.heartbeat("ping")).toBe("ping");
  });

  it("kernel_info_reply_valid", async () => {
    expect(await content("shell", "kernel_info_request")).toMatchObject({ status: "ok" });
  });

  it("kernel_info_has_language_info", async () => {
    expect(await content("shell", "kernel_info_request")).toMatchObject({ language_info: { name: "typescript" } });
  });

  it("kernel_info_has_protocol_version", async () => {
    expect(await content("shell", "kernel_info_request")).toMatchObject({ protocol_version: "5.5" });
  });

  it("execute_stdout", async () => {
    expect(streamText((await client.execute("console.log('hello')")).published)).toBe("hello\n");
  });

  it("execute_stderr", async () => {
    expect(streamText((await client.execute("console.error('error')")).published, "stderr")).toBe("error\n");
  });

  it("execute_reply_ok", async () => {
    expect((await client.execute(complete)).reply.content["status"]).toBe("ok");
  });

  it("status_busy_idle_lifecycle", async () => {
    const { published } = await client.execute(complete);
    const states = published.flatMap((message) =>
      message.type === "status" ? [message.content["execution_state"]] : [],
    );
    expect(states).toEqual(["busy", "idle"]);
  });

  it("execute_input_broadcast", async () => {
    const { published } = await client.execute(complete);
    expect(published.find((message) => message.type === "execute_input")!.content["code"]).toBe(complete);
  });

  it("shutdown_reply", async () => {
    const other = await Client.start();
    const ended = new Promise((resolve) => other.process.once("exit", resolve));
    expect((await other.request("control", "shutdown_request", { restart: false })).content).toEqual({
      status: "ok",
      restart: false,
    });
    expect(await ended).toBe(0);
    await other.stop();
  });
});

describe("kernel-testbed, interactive features", () => {
  it("complete_request", async () => {
    await client.execute("const testbedVariable = 1");
    const code = "testbedVar";
    const reply = await content("shell", "complete_request", { code, cursor_pos: code.length });
    expect(reply).toMatchObject({ status: "ok", matches: ["testbedVariable"], cursor_start: 0, cursor_end: 10 });
  });

  it("inspect_request", async () => {
    const code = "testbedVariable";
    const reply = await content("shell", "inspect_request", { code, cursor_pos: code.length, detail_level: 0 });
    expect(reply).toMatchObject({ status: "ok", found: true });
  });

  it("is_complete_complete", async () => {
    expect(await content("shell", "is_complete_request", { code: complete })).toEqual({ status: "complete" });
  });

  it("is_complete_incomplete", async () => {
    const reply = await content("shell", "is_complete_request", { code: "function f() {" });
    expect(reply).toMatchObject({ status: "incomplete" });
  });

  it("history_request", async () => {
    await client.execute(complete);
    const asked = { hist_access_type: "tail", n: 10, output: false, raw: true };
    const reply = (await content("shell", "history_request", asked)) as { history: [number, number, string][] };
    expect(reply.history.at(-1)![2]).toBe(complete);
  });

  it("comm_info_request", async () => {
    expect(await content("shell", "comm_info_request")).toEqual({ status: "ok", comms: {} });
  });

  it("error_handling", async () => {
    const failed = await client.execute("let x = = 3");
    expect(failed.reply.content["status"]).toBe("error");
    expect(types(failed).filter((type) => type === "error")).toHaveLength(1);
  });
});

describe("kernel-testbed, rich output", () => {
  it("display_data", async () => {
    expect(types(await client.execute("display(html`<b>bold</b>`)"))).toContain("display_data");
  });

  it("update_display_data", async () => {
    const seen = types(await client.execute("const bed = display('before'); bed.update('after')"));
    expect(seen.filter((type) => type.endsWith("display_data"))).toEqual(["display_data", "update_display_data"]);
  });

  it("execute_result", async () => {
    expect(types(await client.execute("1 + 1"))).toContain("execute_result");
  });

  it("rich_execute_result", async () => {
    const { published } = await client.execute("html`<b>bold</b>`");
    const result = published.find((message) => message.type === "execute_result")!;
    expect(result.content["data"]).toMatchObject({ "text/html": "<b>bold</b>" });
  });
});

describe("kernel-testbed, advanced features", () => {
  it("stdin_input_request", async () => {
    const id = await client.start("console.log(await input('name: '))", { allow_stdin: true });
    const question = await client.question();
    expect(question.content).toEqual({ prompt: "name: ", password: false });
    await client.send("stdin", "input_reply", { value: "test_input_42", status: "ok" }, { parent: question });
    expect(streamText((await client.finished(id)).published)).toBe("test_input_42\n");
  });

  it("comms_lifecycle", async () => {
    await client.send("shell", "comm_open", { comm_id: "bed", target_name: "jupyter.kernel_testbed.test", data: {} });
    await client.published((message) => message.type === "comm_close" && message.content["comm_id"] === "bed");
    expect(await client.value("1 + 1")).toBe("2");
  });

  it("interrupt_request", async () => {
    expect(await content("control", "interrupt_request")).toEqual({ status: "ok" });
  });

  it("execution_count_increments", async () => {
    const counts: number[] = [];
    for (let round = 0; round < 2; round++) {
      counts.push((await client.execute(complete)).reply.content["execution_count"] as number);
    }
    expect(counts[1]).toBe(counts[0]! + 1);
  });

  it("parent_header_correlation", async () => {
    const id = await client.start("console.log('hello')");
    const { reply, published } = await client.finished(id);
    const all: readonly Message[] = [reply, ...published];
    expect(all.map((message) => message.parent["msg_id"])).toEqual(all.map(() => id));
  });
});
