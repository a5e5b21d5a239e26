import { COMM_TARGET, SCHEMA } from "@nibble-lab/messages";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, type Message } from "./client.js";

let client: Client;
beforeAll(async () => {
  client = await Client.warm();
});
afterAll(() => client.stop());

const of =
  (id: string, type = "comm_msg") =>
  (message: Message) =>
    message.type === type && message.content["comm_id"] === id;
const isIdleOf = (id: string) => (message: Message) =>
  message.content["execution_state"] === "idle" && message.parent["msg_id"] === id;
const kind = (name: string) => (message: Message) =>
  (message.content["data"] as { kind?: string } | undefined)?.kind === name;

async function open(id: string, topics: readonly string[], schemas: readonly number[] = [SCHEMA]): Promise<void> {
  await client.send("shell", "comm_open", { comm_id: id, target_name: COMM_TARGET, data: { schemas, topics } });
}

describe("comms of cells", () => {
  it("carry buffers both ways, byte for byte, while a cell waits", async () => {
    await client.value(
      "kernel.comms.register('echo', (comm, data) => { comm.onMessage = (d, buffers) => comm.send({ back: d }, buffers.map((b) => b.map((v) => 255 - v))) })",
    );
    const running = await client.start("console.log('in'); await new Promise(() => {})");
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === running);
    await client.send("shell", "comm_open", { comm_id: "one", target_name: "echo", data: {} });
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 256);
    const sent = await client.send(
      "shell",
      "comm_msg",
      { comm_id: "one", data: { n: 1 } },
      { buffers: [bytes, new Uint8Array(0)] },
    );
    const answer = await client.published(of("one"));
    expect(answer.content["data"]).toEqual({ back: { n: 1 } });
    expect(answer.buffers.map((buffer) => buffer.length)).toEqual([1000, 0]);
    expect(answer.buffers[0]!.every((value, index) => value === 255 - bytes[index]!)).toBe(true);
    await client.published(isIdleOf(sent));
    await client.request("control", "interrupt_request");
    await client.finished(running);
  });

  it("open from a cell, and close", async () => {
    const { published } = await client.execute(
      "const line = kernel.comms.connect('front', { hello: 1 }); line.send({ n: 2 }); line.close({ bye: 3 })",
    );
    const seen = published
      .filter((message) => message.type.startsWith("comm_"))
      .map((message) => [message.type, message.content["data"]]);
    expect(seen).toEqual([
      ["comm_open", { hello: 1 }],
      ["comm_msg", { n: 2 }],
      ["comm_close", { bye: 3 }],
    ]);
  });

  it("refuse data that is no JSON, where it is sent", async () => {
    const { reply } = await client.execute("const big = kernel.comms.connect('front'); big.send({ n: 1n as never })");
    expect(reply.content).toMatchObject({ status: "error", ename: "TypeError" });
    expect(reply.content["evalue"]).toMatch(/^\[comm\] the data cannot be sent as JSON: .*BigInt/);
    const circular = await client.execute(
      "const self: any = {}; self.self = self; kernel.comms.connect('front', self)",
    );
    expect(circular.reply.content["evalue"]).toMatch(/circular/);
    expect(await client.value("typeof big")).toBe("'object'");
    await client.execute("big.close()");
  });

  it("to an unknown target are closed before idle, and not listed", async () => {
    const id = await client.send("shell", "comm_open", { comm_id: "lost", target_name: "nobody", data: {} });
    const idle = await client.published(isIdleOf(id));
    const closed = await client.published(of("lost", "comm_close"));
    expect(client.iopub.indexOf(closed)).toBeLessThan(client.iopub.indexOf(idle));
    expect((await client.request("shell", "comm_info_request", { target_name: "nobody" })).content["comms"]).toEqual(
      {},
    );
  });
});

describe("panels", () => {
  it("are greeted with schema, version and session, also while a cell computes", async () => {
    const running = await client.start("console.log('in'); for (;;);");
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === running);
    await open("greeted", []);
    const hello = await client.published(of("greeted"));
    expect(hello.content["data"]).toMatchObject({ kind: "hello", schema: SCHEMA });
    expect(client.iopub.some(isIdleOf(running))).toBe(false);
    await client.request("control", "interrupt_request");
    await client.finished(running);
  });

  it("of another protocol are refused in a sentence and closed", async () => {
    await open("foreign", ["memory"], [99]);
    const refusal = await client.published(of("foreign"));
    expect(refusal.content["data"]).toMatchObject({ kind: "refusal" });
    expect((refusal.content["data"] as { message: string }).message).toMatch(
      /speaks protocol 99; the kernel .* speaks 1/,
    );
    await client.published(of("foreign", "comm_close"));
  });

  it("get memory samples while a cell computes, with its number, and none after they close", async () => {
    const running = await client.start("console.log('in'); for (;;);");
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === running);
    await open("memory", ["memory"]);
    const isSample = (message: Message) => of("memory")(message) && kind("memory.sample")(message);
    const sample = (await client.published(isSample)).content["data"] as {
      resident: number;
      cell: number;
      devices: unknown[];
    };
    expect(sample.resident).toBeGreaterThan(1e7);
    await client.request("control", "interrupt_request");
    const { reply } = await client.finished(running);
    expect(sample.cell).toBe(reply.content["execution_count"]);
    const closing = await client.send("shell", "comm_close", { comm_id: "memory", data: {} });
    const idle = await client.published(isIdleOf(closing));
    await client.value("await new Promise((resolve) => setTimeout(resolve, 600))"); // longer than two periods
    expect(client.iopub.slice(client.iopub.indexOf(idle)).some(isSample)).toBe(false);
  });

  it("get the steps of a training, and one that opens later gets them all at once", async () => {
    const train = `import { events } from "nibble-lab/events";
const point = { loss: 2, learningRate: 0.01, gradientNorm: 1, tokensPerSecond: 10 };
events.emit("training.start", { run: "r1", method: "peqa", steps: 3 });
for (const step of [1, 2, 3]) events.emit("training.step", { run: "r1", step, steps: 3, ...point });
events.emit("training.end", { run: "r1", steps: 3, outcome: "finished" });`;
    await open("early", ["training"]);
    const { published, reply } = await client.execute(train);
    expect(reply.content["status"]).toBe("ok");
    const updates = (id: string) =>
      client.iopub
        .filter(of(id))
        .map((message) => message.content["data"] as { kind: string; done: boolean; points: { step: number }[] });
    await client.published(
      (message) => of("early")(message) && (message.content["data"] as { done?: boolean }).done === true,
    );
    expect(
      updates("early").flatMap((update) =>
        update.kind === "training.update" ? update.points.map(({ step }) => step) : [],
      ),
    ).toEqual([1, 2, 3]);
    await open("late", ["training"]);
    const late = await client.published((message) => of("late")(message) && kind("training.update")(message));
    expect(late.content["data"]).toMatchObject({
      run: "r1",
      method: "peqa",
      done: true,
      points: [{ step: 1 }, { step: 2 }, { step: 3 }],
    });
    // The cell itself shows one line that ends with how it ended.
    const shown = published.filter((message) => message.type.endsWith("display_data"));
    expect(shown[0]!.type).toBe("display_data");
    expect((shown.at(-1)!.content["data"] as Record<string, string>)["text/plain"]).toMatch(
      /^peqa: finished, step 3 of 3, loss 2\.0000/,
    );
    expect((shown.at(-1)!.content["data"] as Record<string, string>)["text/html"]).toContain("<svg");
  });

  it("get a comparison with its coordinates, also when they open after it was made", async () => {
    const compare = `import { events } from "nibble-lab/events";
const comparison = { id: "c", models: ["a", "b"], hook: "h", layers: ["h0"], points: 1, sampled: { from: 1, method: "all", seed: 0 },
  components: 3, explained: [[1, 0, 0]], displacement: [0], tokens: ["t"], promptOf: [0], prompts: ["p"] };
events.emit("pca.comparison", { comparison, coordinates: Float32Array.of(1, 2, 3, 4, 5, 6) } as any);`;
    await client.value(compare);
    await open("pca", ["pca"]);
    const message = await client.published((it) => of("pca")(it) && kind("pca.comparison")(it));
    expect(message.content["data"]).toMatchObject({ id: "c", models: ["a", "b"] });
    const [bytes] = message.buffers;
    expect([
      ...new Float32Array(bytes!.buffer.slice(bytes!.byteOffset, bytes!.byteOffset + bytes!.byteLength)),
    ]).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe("subshells", () => {
  it("are made, listed and ended", async () => {
    const { content } = await client.request("control", "create_subshell_request");
    const subshell = content["subshell_id"] as string;
    expect((await client.request("control", "list_subshell_request")).content["subshell_id"]).toEqual([subshell]);
    expect((await client.request("control", "delete_subshell_request", { subshell_id: subshell })).content).toEqual({
      status: "ok",
    });
    expect(
      (await client.request("control", "delete_subshell_request", { subshell_id: subshell })).content["status"],
    ).toBe("error");
  });

  it("that are fresh have their first comm message answered while a cell computes in the main shell", async () => {
    const running = await client.start("console.log('in'); for (;;);");
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === running);
    const { content } = await client.request("control", "create_subshell_request");
    const data = { schemas: [SCHEMA], topics: [] };
    const subshell = content["subshell_id"] as string;
    const opened = { comm_id: "fresh", target_name: COMM_TARGET, data };
    const id = await client.send("shell", "comm_open", opened, { subshell });
    expect((await client.published(of("fresh"))).content["data"]).toMatchObject({ kind: "hello" });
    await client.published(isIdleOf(id));
    expect(client.iopub.some(isIdleOf(running))).toBe(false);
    await client.request("control", "interrupt_request");
    await client.finished(running);
    await client.request("control", "delete_subshell_request", { subshell_id: subshell });
  });

  it("run a cell beside one that waits in the main shell", async () => {
    const { content } = await client.request("control", "create_subshell_request");
    const waiting = await client.start(
      "let release: () => void; await new Promise<void>((resolve) => (release = resolve)); 'released'",
    );
    await client.published((message) => message.type === "execute_input" && message.parent["msg_id"] === waiting);
    const beside = await client.finished(
      await client.start("release(); 'beside'", {}, content["subshell_id"] as string),
    );
    expect(beside.reply.content["status"]).toBe("ok");
    expect((await client.finished(waiting)).reply.content["status"]).toBe("ok");
  });

  it("leave the status at busy when something else is answered while a cell runs", async () => {
    const running = await client.start("console.log('in'); await new Promise(() => {})");
    await client.published((message) => message.type === "stream" && message.parent["msg_id"] === running);
    const id = await client.send("shell", "comm_info_request", {});
    await client.reply(id);
    const isReminder = (message: Message) =>
      message.content["execution_state"] === "busy" &&
      message.parent["msg_id"] === running &&
      client.iopub.indexOf(message) > client.iopub.findIndex(isIdleOf(id));
    await client.published((message) => client.iopub.some(isIdleOf(id)) && isReminder(message));
    await client.request("control", "interrupt_request");
    await client.finished(running);
  });
});
