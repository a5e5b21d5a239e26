import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { connect } from "node:net";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, type Message } from "./client.js";

let log = "";
let logged = () => undefined as void;
let client: Client;
beforeAll(async () => {
  client = await Client.start({
    log: (text) => {
      log += text;
      logged();
    },
  });
  await client.execute("0");
});
afterAll(() => client.stop());

const connection = () => JSON.parse(readFileSync(client.connectionFile, "utf8")) as Record<string, string & number>;
const header = (change: object = {}) => ({
  ...{ msg_id: randomUUID(), session: "s", username: "u", date: "d", msg_type: "kernel_info_request", version: "5.5" },
  ...change,
});

/** Frames of a message whose parts are these, signed as they are. */
function signed(parts: readonly (object | string)[]): (string | Uint8Array)[] {
  const bytes = parts.map((part) => Buffer.from(typeof part === "string" ? part : JSON.stringify(part)));
  const hmac = createHmac("sha256", connection()["key"]!);
  for (const part of bytes) hmac.update(part);
  return ["<IDS|MSG>", hmac.digest("hex"), ...bytes];
}

/** Resolves when the kernel's own stderr, from here on, has so many lines that fit. */
async function told(from: number, pattern: RegExp, count: number): Promise<void> {
  while ((log.slice(from).match(pattern) ?? []).length < count) await new Promise<void>((next) => (logged = next));
}

async function isAlive(): Promise<void> {
  for (const channel of ["shell", "control"] as const) {
    expect((await client.request(channel, "kernel_info_request")).content["status"]).toBe("ok");
  }
}

const malformed: readonly (readonly [string, () => (string | Uint8Array)[]])[] = [
  ["one empty frame", () => [""]],
  ["noise", () => Array.from({ length: 5 }, () => randomBytes(64))],
  ["no delimiter", () => signed([header(), {}, {}, {}]).slice(1)],
  ["the delimiter alone", () => ["<IDS|MSG>"]],
  ["too few dictionaries", () => signed([header(), {}, {}])],
  ["an empty signature", () => signed([header(), {}, {}, {}]).map((frame, index) => (index === 1 ? "" : frame))],
  ["a signature of another length", () => signed([header(), {}, {}, {}]).map((f, i) => (i === 1 ? "ab" : f))],
  ["a header that is no JSON", () => signed(["{", {}, {}, {}])],
  ["a header that is a list", () => signed([[], {}, {}, {}])],
  ["a header that is null", () => signed(["null", {}, {}, {}])],
  ["content that is a number", () => signed([header(), {}, {}, "7"])],
  ["bytes that are no UTF-8", () => [...signed([header(), {}, {}, {}]).slice(0, 5), Buffer.from([0xff, 0xfe])]],
  ["a header without type", () => signed([header({ msg_type: undefined }), {}, {}, {}])],
  ["a header without id", () => signed([header({ msg_id: undefined }), {}, {}, {}])],
  ["a type that is a number", () => signed([header({ msg_type: 4 }), {}, {}, {}])],
];

describe("what is no message", () => {
  it.each(malformed)("%s is dropped on every channel, counted and told", async (_name, frames) => {
    const before = log.length;
    for (const channel of ["shell", "control", "stdin"] as const) await client.sendFrames(channel, frames());
    await isAlive();
    await told(before, /\[wire\] .* Dropped on (shell|control|stdin); \d+ so far\./g, 3);
  });

  it("a message that comes twice runs once", async () => {
    await client.execute("let runs = 0");
    const content = { code: "runs += 1", silent: false, store_history: true, allow_stdin: false };
    const twice = signed([header({ msg_type: "execute_request" }), {}, {}, content]);
    await client.sendFrames("shell", twice);
    await client.sendFrames("shell", twice);
    expect(await client.value("runs")).toBe("1");
    await told(0, /a message came twice\. Dropped on shell/g, 1);
  });
});

const odd: readonly (readonly [string, string, object])[] = [
  ["a type nobody knows", "dance_request", {}],
  ["a type of every object", "constructor", {}],
  ["a type of every object's prototype", "__proto__", {}],
  ["a reply", "execute_reply", { status: "ok" }],
  ["no code to run", "execute_request", {}],
  ["code that is a list", "execute_request", { code: [1], silent: "yes", user_expressions: 3 }],
  ["completion without fields", "complete_request", {}],
  ["a cursor far away", "complete_request", { code: "x", cursor_pos: 1e9 }],
  ["a cursor before the beginning", "complete_request", { code: "x", cursor_pos: -5 }],
  ["inspection of nothing", "inspect_request", { code: "", cursor_pos: 0 }],
  ["history of no kind", "history_request", { hist_access_type: "dance" }],
  ["history that never was", "history_request", { hist_access_type: "range", session: -99, start: -1, stop: "x" }],
  ["a pattern of brackets", "history_request", { hist_access_type: "search", pattern: "[(*" }],
  ["completeness of nothing", "is_complete_request", {}],
  ["a comm without id", "comm_open", { target_name: "nobody" }],
  ["a message on no comm", "comm_msg", { comm_id: "never opened", data: { x: 1 } }],
  ["a close of no comm", "comm_close", { comm_id: "never opened" }],
  ["an answer that nobody asked for", "input_reply", { value: "x" }],
  ["a subshell to delete that is none", "delete_subshell_request", { subshell_id: 7 }],
];

describe("odd messages", () => {
  it.each(odd)("%s does no harm, and its sender sees idle", async (_name, type, content) => {
    const id = await client.send("shell", type, content);
    const isIdle = (message: Message) =>
      message.parent["msg_id"] === id && message.content["execution_state"] === "idle";
    await client.published(isIdle);
    await isAlive();
  });

  it("a cell for a subshell that is none gets an error that says so", async () => {
    const { content } = await client.reply(await client.start("1", {}, "nowhere"));
    expect(content).toMatchObject({ status: "error", ename: "OptionError" });
    expect(content["evalue"]).toMatch(/no subshell "nowhere"/);
  });
});

describe("a flood", { timeout: 240_000 }, () => {
  it("of 1,000 comms is kept, listed and closed", async () => {
    await client.value("kernel.comms.register('flood', (comm) => { comm.onMessage = (data) => comm.send(data) })");
    const ids = Array.from({ length: 1000 }, (_, index) => `flood-${index}`);
    for (const comm_id of ids) await client.send("shell", "comm_open", { comm_id, target_name: "flood", data: {} });
    for (const comm_id of ids) await client.send("shell", "comm_msg", { comm_id, data: { of: comm_id } });
    const isEcho = (message: Message) => message.type === "comm_msg" && message.content["comm_id"] === ids.at(-1);
    await client.published(isEcho);
    const echoes = client.iopub.filter(({ type }) => type === "comm_msg").map(({ content }) => content["comm_id"]);
    expect(echoes).toEqual(ids);
    const { content } = await client.request("shell", "comm_info_request", { target_name: "flood" });
    expect(Object.keys(content["comms"] as object)).toHaveLength(1000);
    for (const comm_id of ids) await client.send("shell", "comm_close", { comm_id, data: {} });
    expect((await client.request("shell", "comm_info_request")).content["comms"]).toEqual({});
  });

  it("of 100 MB in one comm message comes back whole", async () => {
    await client.value(
      "kernel.comms.register('large', (comm) => { comm.onMessage = (data, [bytes]) => comm.send({ length: bytes!.length }, [bytes!]) })",
    );
    const bytes = Buffer.alloc(100_000_000);
    for (let at = 0; at < bytes.length; at += 4096) bytes.writeUInt32LE(at, at);
    await client.send("shell", "comm_open", { comm_id: "large", target_name: "large", data: {} });
    await client.send("shell", "comm_msg", { comm_id: "large", data: {} }, { buffers: [bytes] });
    const back = await client.published(
      (message) => message.content["comm_id"] === "large" && message.type === "comm_msg",
    );
    expect(back.content["data"]).toEqual({ length: bytes.length });
    expect(back.buffers[0]!.equals(bytes)).toBe(true);
  });

  it("of connections that say nothing, or nonsense, leaves it answering", async () => {
    const { shell_port, control_port, iopub_port, stdin_port, hb_port } = connection();
    for (const port of [shell_port!, control_port!, iopub_port!, stdin_port!, hb_port!]) {
      for (let round = 0; round < 40; round++) {
        const socket = connect(port, "127.0.0.1");
        await new Promise((resolve) => socket.once("connect", resolve));
        if (round % 2 === 0) socket.write(randomBytes(200));
        socket.on("error", () => undefined).destroy();
      }
    }
    expect(await client.heartbeat("beat")).toBe("beat");
    await isAlive();
  });

  it("of 500 cells at once behind a failing one gives all of them up, in order", async () => {
    const ids = [await client.start("await input(); throw new Error('first')", { allow_stdin: true })];
    for (let index = 0; index < 500; index++) ids.push(await client.start(`globalThis.flooded = ${index}`));
    await client.send("stdin", "input_reply", { value: "go" }, { parent: await client.question() });
    const statuses: unknown[] = [];
    for (const id of ids) statuses.push((await client.finished(id)).reply.content["status"]);
    expect(statuses.filter((status) => status === "aborted")).toHaveLength(500);
    expect(await client.value("'flooded' in globalThis")).toBe("false");
  });
});

describe("sockets", () => {
  it("listen where the connection file says, and nowhere else", async () => {
    const ports = Object.entries(connection()).flatMap(([name, value]) => (name.endsWith("_port") ? [value] : []));
    expect(listening(client.process.pid!)).toEqual(ports.map((port) => `127.0.0.1:${port}`).sort());
  });
});

/** TCP addresses on which a process listens, as Linux tells. */
function listening(pid: number): string[] {
  const LISTEN = "0A";
  return ["tcp", "tcp6"]
    .flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, "utf8").trim().split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((row) => row[3] === LISTEN && inodesOf(pid).has(row[9]!))
    .map(([, local]) => {
      const [address, port] = local!.split(":") as [string, string];
      const bytes = address.match(/../g)!.map((byte) => Number.parseInt(byte, 16));
      return `${bytes.reverse().join(".")}:${Number.parseInt(port, 16)}`;
    })
    .sort();
}

/** Sockets that a process holds. */
function inodesOf(pid: number): ReadonlySet<string> {
  const folder = `/proc/${pid}/fd`;
  const links = readdirSync(folder).map((fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${fd}`))?.[1]);
  return new Set(links.filter((inode) => inode !== undefined));
}
