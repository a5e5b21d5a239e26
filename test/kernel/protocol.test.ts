import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, streamText, type Message } from "./client.js";

let client: Client;
beforeAll(async () => {
  client = await Client.start();
});
afterAll(() => client.stop());

const types = (messages: readonly Message[]) => messages.map((message) => message.type);

describe("protocol", () => {
  it("welcomes a subscriber with its topic and no parent", async () => {
    const welcome = await client.published((message) => message.type === "iopub_welcome");
    expect(welcome.content).toEqual({ subscription: "" });
    expect(welcome.parent).toEqual({});
  });

  it("describes itself, on shell and on control", async () => {
    for (const channel of ["shell", "control"] as const) {
      const { content } = await client.request(channel, "kernel_info_request");
      expect(content).toMatchObject({
        status: "ok",
        protocol_version: "5.5",
        supported_features: ["kernel subshells"],
      });
      expect(content["language_info"]).toMatchObject({
        name: "typescript",
        file_extension: ".ts",
        mimetype: "text/typescript",
      });
    }
  });

  it("tells who has just connected whether it is idle, in a status that counts", async () => {
    const id = await client.send("shell", "kernel_info_request", {});
    const ofRequest = (message: Message) => message.parent["msg_id"] === id;
    const before = (message: Message) => client.iopub.slice(0, client.iopub.indexOf(message));
    await client.published((message) => before(message).filter(ofRequest).length === 2);
    const from = client.iopub.findIndex(ofRequest);
    const [busy, idle, state] = client.iopub.slice(from, from + 3);
    for (const status of [busy!, idle!])
      expect(status.parent).toMatchObject({ msg_id: id, msg_type: "kernel_info_request" });
    expect(state).toMatchObject({ parent: {}, content: { execution_state: "idle" } });
  });

  it("names a parent that front ends do not track in the status of all that is no cell", async () => {
    const id = await client.send("shell", "complete_request", { code: "x", cursor_pos: 1 });
    await client.reply(id);
    const ofCompletion = (message: Message) => message.type === "status" && message.parent["msg_id"] === id;
    await client.published((message) => ofCompletion(message) && message.content["execution_state"] === "idle");
    const parents = client.iopub.filter(ofCompletion).map((message) => message.parent["msg_type"]);
    expect(parents).toEqual(["kernel_info_request", "kernel_info_request"]);
    const { published } = await client.execute("1");
    expect(published.every((message) => message.parent["msg_type"] === "execute_request")).toBe(true);
  });

  it("publishes busy, input, output, result and idle in this order, all with the request as parent", async () => {
    const id = await client.start("console.log('one'); 6 * 7");
    const { reply, published } = await client.finished(id);
    expect(types(published)).toEqual(["status", "execute_input", "stream", "execute_result", "status"]);
    expect(published.every((message) => message.parent["msg_id"] === id)).toBe(true);
    expect(published[0]!.content).toEqual({ execution_state: "busy" });
    expect(reply.content).toMatchObject({ status: "ok", payload: [], user_expressions: {} });
    expect(published[3]!.content["execution_count"]).toBe(reply.content["execution_count"]);
  });

  it("wraps requests on control in busy and idle as well", async () => {
    const id = await client.send("control", "list_subshell_request", {});
    await client.reply(id);
    const idle = await client.published(
      (message) => message.parent["msg_id"] === id && message.content["execution_state"] === "idle",
    );
    const busy = client.iopub.find((message) => message.parent["msg_id"] === id);
    expect(busy!.content).toEqual({ execution_state: "busy" });
    expect(client.iopub.indexOf(busy!)).toBeLessThan(client.iopub.indexOf(idle));
  });

  it("counts cells, but not silent ones and not those without history", async () => {
    const before = (await client.execute("1")).reply.content["execution_count"] as number;
    const silent = await client.execute("console.log('heard'); 2", { silent: true });
    expect(types(silent.published)).toEqual(["status", "stream", "status"]);
    await client.execute("3", { store_history: false });
    expect((await client.execute("4")).reply.content["execution_count"]).toBe(before + 1);
  });

  it("evaluates user expressions after the cell, each for itself", async () => {
    const { reply } = await client.execute("const half = 21", {
      user_expressions: { twice: "half * 2", wrong: "nothing.here", broken: "1 +" },
    });
    const expressions = reply.content["user_expressions"] as Record<
      string,
      { status: string; data?: Record<string, string>; ename?: string }
    >;
    expect(expressions["twice"]).toMatchObject({ status: "ok", data: { "text/plain": "42" } });
    expect(expressions["wrong"]).toMatchObject({ status: "error", ename: "ReferenceError" });
    expect(expressions["broken"]).toMatchObject({ status: "error", ename: "SyntaxError" });
  });

  it("gives up cells that wait behind a failed one, and only those", async () => {
    const ids = [
      await client.start("await input(); throw new Error('first')", { allow_stdin: true }),
      await client.start("globalThis.ran = true"),
      await client.start("1"),
    ];
    await client.send("stdin", "input_reply", { value: "go" }, { parent: await client.question() });
    const statuses = [];
    for (const id of ids) statuses.push((await client.finished(id)).reply.content["status"]);
    expect(statuses).toEqual(["error", "aborted", "aborted"]);
    expect(await client.value("(globalThis as any).ran ?? 'never'")).toBe("'never'");
  });

  it("runs the next cell after a failed one when stop_on_error is false", async () => {
    const first = await client.start("await input(); throw new Error('first')", {
      stop_on_error: false,
      allow_stdin: true,
    });
    const second = await client.start("'went on'");
    await client.send("stdin", "input_reply", { value: "go" }, { parent: await client.question() });
    expect((await client.finished(first)).reply.content["status"]).toBe("error");
    expect((await client.finished(second)).reply.content["status"]).toBe("ok");
  });

  it("answers a failed cell with one error on iopub and the same in the reply", async () => {
    const { reply, published } = await client.execute("throw new RangeError('too far')");
    expect(types(published)).toEqual(["status", "execute_input", "error", "status"]);
    expect(reply.content).toMatchObject({ status: "error", ename: "RangeError", evalue: "too far" });
    expect(published[2]!.content["traceback"]).toEqual(reply.content["traceback"]);
  });

  it("drops messages with a wrong signature and goes on", async () => {
    await client.send("shell", "execute_request", { code: "globalThis.forged = true" }, { key: "another key" });
    expect(await client.value("'forged' in globalThis")).toBe("false");
  });

  it("takes messages of unknown type without a reply", async () => {
    const id = await client.send("shell", "dance_request", { steps: 3 });
    await client.published(
      (message) => message.parent["msg_id"] === id && message.content["execution_state"] === "idle",
    );
    expect(await client.value("'alive'")).toBe("'alive'");
  });

  it("asks on stdin and goes on with the answer", async () => {
    const id = await client.start("await input('Your name? ')", { allow_stdin: true });
    const question = await client.question();
    expect(question.content).toEqual({ prompt: "Your name? ", password: false });
    expect(question.parent["msg_id"]).toBe(id);
    await client.send("stdin", "input_reply", { value: "Ada" }, { parent: question });
    const { published } = await client.finished(id);
    expect(published.find((message) => message.type === "execute_result")!.content["data"]).toEqual({
      "text/plain": "'Ada'",
    });
  });

  it("asks for a password as one, and with prompt in the middle of a statement", async () => {
    const id = await client.start(
      "const secret = await input('Key: ', { password: true });\nconst all = [1, 2].map((n) => prompt(`${n}? `)); [secret, ...all, prompt('', 'as ever')].join()",
      { allow_stdin: true },
    );
    const asked: unknown[] = [];
    for (const value of ["s3cret", "one", "two", ""]) {
      const question = await client.question();
      asked.push(question.content);
      await client.send("stdin", "input_reply", { value }, { parent: question });
    }
    const { published } = await client.finished(id);
    expect(asked).toEqual([
      { prompt: "Key: ", password: true },
      { prompt: "1? ", password: false },
      { prompt: "2? ", password: false },
      { prompt: "", password: false },
    ]);
    const result = published.find((message) => message.type === "execute_result")!;
    expect(result.content["data"]).toEqual({ "text/plain": "'s3cret,one,two,as ever'" });
  });

  it("ends a prompt by an interrupt, and handles what came meanwhile", async () => {
    await client.value("let heard = 0; kernel.comms.register('ear', () => { heard += 1 })");
    for (const code of ["prompt('sync? ')", "await new Promise((r) => setTimeout(r, 1)); prompt('late? ')"]) {
      const id = await client.start(code, { allow_stdin: true });
      await client.question();
      await client.send("shell", "comm_open", { comm_id: id, target_name: "ear", data: {} });
      await client.request("control", "interrupt_request");
      expect((await client.finished(id)).reply.content["ename"]).toBe("Interrupted");
    }
    expect(await client.value("heard")).toBe("2");
  });

  it("refuses to ask where nobody can answer", async () => {
    const { reply } = await client.execute("await input()", { allow_stdin: false });
    expect(reply.content["evalue"]).toMatch(/asks nobody/);
  });

  it("keeps history: the tail, a range, and a search with wildcards", async () => {
    await client.execute("'needle one'");
    await client.execute("'needle two'");
    await client.execute("'needle two'");
    const ask = async (content: object) =>
      (await client.request("shell", "history_request", { output: false, raw: true, ...content })).content[
        "history"
      ] as [number, number, string][];
    const tail = await ask({ hist_access_type: "tail", n: 2 });
    expect(tail.map((row) => row[2])).toEqual(["'needle two'", "'needle two'"]);
    const range = await ask({ hist_access_type: "range", session: 0, start: tail[0]![1], stop: tail[0]![1] + 1 });
    expect(range).toEqual([tail[0]]);
    expect((await ask({ hist_access_type: "search", pattern: "'needle*" })).length).toBe(3);
    expect((await ask({ hist_access_type: "search", pattern: "'needle t?o'", unique: true })).length).toBe(1);
  });

  it("knows whether a cell is complete", async () => {
    const status = async (code: string) => (await client.request("shell", "is_complete_request", { code })).content;
    expect(await status("await (async () => 1)()")).toEqual({ status: "complete" });
    expect(await status("function f() {")).toEqual({ status: "incomplete", indent: "  " });
    expect(await status("`one")).toMatchObject({ status: "incomplete" });
    expect(await status("let x = = 3")).toEqual({ status: "invalid" });
  });

  it("updates a display in place and clears output", async () => {
    const { published } = await client.execute(
      "const shown = display(1); shown.update(2); clearOutput({ wait: true })",
    );
    const [first, second, clear] = published.slice(2, 5);
    expect(types([first!, second!, clear!])).toEqual(["display_data", "update_display_data", "clear_output"]);
    expect(second!.content["transient"]).toEqual(first!.content["transient"]);
    expect(clear!.content).toEqual({ wait: true });
  });

  it("says where it listens", async () => {
    const { content } = await client.request("shell", "connect_request");
    const ports = JSON.parse(readFileSync(client.connectionFile, "utf8")) as Record<string, number>;
    expect(content).toMatchObject({ status: "ok", shell_port: ports["shell_port"], hb_port: ports["hb_port"] });
  });

  it("reports its use of the machine", async () => {
    const { content } = await client.request("control", "usage_request");
    expect(content).toMatchObject({ status: "ok", pid: client.process.pid });
    expect(content["kernel_memory"]).toBeGreaterThan(1e7);
  });

  it("echoes heartbeats while a cell computes, and answers on control", async () => {
    const id = await client.start("for (const end = Date.now() + 400; Date.now() < end; );");
    await client.published((message) => message.type === "execute_input" && message.parent["msg_id"] === id);
    expect(await client.heartbeat("beat")).toBe("beat");
    await client.request("control", "kernel_info_request");
    const idle = (message: Message) => message.parent["msg_id"] === id && message.content["execution_state"] === "idle";
    expect(client.iopub.some(idle)).toBe(false);
    await client.finished(id);
  });
});

describe("output", () => {
  it("delivers 20,000 printed lines in order, all of them before idle", async () => {
    const { published } = await client.execute("for (let line = 0; line < 20_000; line++) console.log(`line ${line}`)");
    const lines = streamText(published).trimEnd().split("\n");
    expect(lines.length).toBe(20_000);
    expect(lines.every((line, index) => line === `line ${index}`)).toBe(true);
  });

  it("delivers one print that is larger than its buffers, without cutting a character", async () => {
    const { published } = await client.execute("console.log('\u{1F9EA}'.repeat(1_000_000))");
    expect(streamText(published)).toBe(`${"\u{1F9EA}".repeat(1_000_000)}\n`);
  });

  it("keeps prints and displays in the order in which they were made", async () => {
    const { published } = await client.execute(
      "console.log('a'); display('b'); console.error('c'); display('d'); console.log('e')",
    );
    expect(types(published)).toEqual([
      "status",
      "execute_input",
      "stream",
      "display_data",
      "stream",
      "display_data",
      "stream",
      "status",
    ]);
  });

  it("includes what other programs write to the same file descriptors", async () => {
    const { published } = await client.execute(
      "require('node:child_process').spawnSync('sh', ['-c', 'echo out; echo err >&2'], { stdio: 'inherit' }).status",
    );
    expect([streamText(published), streamText(published, "stderr")]).toEqual(["out\n", "err\n"]);
  });

  it("gives what a timer prints to the cell that set it, also while another runs", async () => {
    const first = await client.start(
      "let ticks = 0; const clock = setInterval(() => { console.log(`tick ${++ticks}`); display(ticks) }, 5); 0",
    );
    await client.finished(first);
    const second = await client.finished(
      await client.start(
        "while (ticks < 3) await new Promise((r) => setTimeout(r, 5)); console.log('mine'); clearInterval(clock)",
      ),
    );
    expect(streamText(second.published)).toBe("mine\n");
    expect(second.published.some((message) => message.type === "display_data")).toBe(false);
    const ofFirst = client.iopub.filter((message) => message.parent["msg_id"] === first);
    expect(streamText(ofFirst)).toMatch(/^tick 1\ntick 2\ntick 3\n/);
  });

  it("tells an error of a timer in the cell that set it, and lives", async () => {
    const first = await client.start("setTimeout(() => { throw new Error('from a timer') }, 20); 0");
    await client.finished(first);
    const second = await client.execute("await new Promise((resolve) => setTimeout(resolve, 60))");
    expect(streamText(second.published, "stderr")).toBe("");
    const told = client.iopub.filter((message) => message.parent["msg_id"] === first);
    expect(streamText(told, "stderr")).toMatch(/^Error: from a timer\n {2}Cell\[\d+\]\.ts:1:26/);
  });

  it("leaves timers as Node has them", async () => {
    expect(
      await client.value(
        "import { promisify } from 'node:util'; import { setTimeout as sleepFor } from 'node:timers/promises';\n" +
          "[await promisify(setTimeout)(1, 'p'), await sleepFor(1, 't'), setTimeout.name, await new Promise((r) => setTimeout(r, 1, 'given'))].join()",
      ),
    ).toBe("'p,t,setTimeout,given'");
    expect((await client.execute("setTimeout('no function' as never)")).reply.content["ename"]).toBe("TypeError");
  });

  it("gives late output to the cell that came last, after its idle", async () => {
    const id = await client.start("setTimeout(() => console.log('late'), 30); 0");
    const { published } = await client.finished(id);
    expect(streamText(published)).toBe("");
    const late = await client.published((message) => message.type === "stream" && message.content["text"] === "late\n");
    expect(late.parent["msg_id"]).toBe(id);
  });

  it("reports a rejection that nobody handles, and lives", async () => {
    await client.execute("void Promise.reject(new Error('unheard')); 0");
    await client.published(
      (message) => message.type === "stream" && String(message.content["text"]).includes("Error: unheard"),
    );
    expect(await client.value("1")).toBe("1");
  });
});
