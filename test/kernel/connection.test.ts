import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConnection } from "@nibble-lab/kernel/lib/jupyter/connection.js";
import { Wire } from "@nibble-lab/kernel/lib/jupyter/wire.js";
import { codePointsToUnits, unitsToCodePoints, type Header } from "@nibble-lab/kernel/lib/jupyter/protocol.js";
import { FrameReader, encodeFrame } from "@nibble-lab/kernel/lib/executor/frames.js";
import { OutputRing, type Output } from "@nibble-lab/kernel/lib/executor/ring.js";
import { describe, expect, it } from "vitest";
import { curveKeyPair, Dealer } from "zeromq";
import { Client } from "./client.js";

const header: Header = { msg_id: "1", session: "s", username: "u", date: "d", msg_type: "t", version: "5.5" };
const folder = mkdtempSync(join(tmpdir(), "nibble-connection-"));

function connectionWith(change: object): string {
  const file = join(folder, "connection.json");
  const ports = { shell_port: 1, control_port: 2, iopub_port: 3, stdin_port: 4, hb_port: 5 };
  writeFileSync(
    file,
    JSON.stringify({
      transport: "tcp",
      ip: "127.0.0.1",
      key: "k",
      signature_scheme: "hmac-sha256",
      ...ports,
      ...change,
    }),
  );
  return file;
}

describe("connection file", () => {
  it("names what is wrong and what is allowed", () => {
    expect(() => readConnection(connectionWith({ transport: "udp" }))).toThrow(
      '[connection] transport is "udp". Supported: "tcp", "ipc".',
    );
    expect(() => readConnection(connectionWith({ signature_scheme: "md5" }))).toThrow('Supported: "hmac-sha256"');
    expect(() => readConnection(connectionWith({ shell_port: "x" }))).toThrow("shell_port");
    expect(() => readConnection(connectionWith({ curve_publickey: "x".repeat(40) }))).toThrow("Both are needed");
    expect(() => readConnection(connectionWith({ curve_publickey: "x", curve_secretkey: "y" }))).toThrow("curve_");
    expect(readConnection(connectionWith({})).curve).toBeNull();
    expect(readConnection(connectionWith({})).ports).toEqual({ shell: 1, control: 2, iopub: 3, stdin: 4, hb: 5 });
  });
});

describe("a connection", () => {
  it("over files instead of ports works as well", async () => {
    const ip = join(mkdtempSync(join(tmpdir(), "nibble-ipc-")), "kernel");
    const client = await Client.start({ connection: { transport: "ipc", ip } });
    expect(await client.value("6 * 7")).toBe("42");
    expect(await client.heartbeat("beat")).toBe("beat");
    await client.stop();
  });

  it("with curve keys is encrypted: who has the key is served, others hear nothing", async () => {
    const [server, ours] = [curveKeyPair(), curveKeyPair()];
    const client = await Client.start({
      connection: { curve_publickey: server.publicKey, curve_secretkey: server.secretKey },
      curve: { serverKey: server.publicKey, ...ours },
    });
    expect(await client.value("6 * 7")).toBe("42");
    expect(await client.heartbeat("beat")).toBe("beat");
    const { ip, hb_port } = JSON.parse(readFileSync(client.connectionFile, "utf8")) as { ip: string; hb_port: number };
    const stranger = new Dealer({ linger: 0 });
    const refused = new Promise((resolve) => stranger.events.on("handshake:error:protocol", resolve));
    stranger.connect(`tcp://${ip}:${hb_port}`);
    await stranger.send(["", "beat"]);
    await refused;
    stranger.close();
    await client.stop();
  });
});

describe("wire", () => {
  const frames = () => new Wire("key").encode([Buffer.from("id")], header, null, {}, { a: 1 }, [Buffer.from([1, 2])]);

  it("takes back what it made, identities and buffers included", () => {
    const request = new Wire("key").decode(frames());
    expect(request.content).toEqual({ a: 1 });
    expect([...request.buffers[0]!]).toEqual([1, 2]);
    expect(Buffer.from(request.identities[0]!).toString()).toBe("id");
  });

  it("signs the dictionaries and not the buffers", () => {
    const changed = frames();
    changed[changed.length - 1] = Buffer.from([9]);
    expect(() => new Wire("key").decode(changed)).not.toThrow();
    const forged = frames();
    forged[6] = Buffer.from('{"a":2}');
    expect(() => new Wire("key").decode(forged)).toThrow("signature is wrong");
    expect(() => new Wire("other").decode(frames())).toThrow("signature is wrong");
  });

  it("drops what comes twice", () => {
    const wire = new Wire("key");
    const once = frames();
    wire.decode(once);
    expect(() => wire.decode(once)).toThrow("came twice");
  });

  it("says what is malformed", () => {
    expect(() => new Wire("").decode([Buffer.from("x")])).toThrow("lacks its delimiter");
    const broken = new Wire("").encode([], header, null, {}, {});
    broken[5] = Buffer.from("[1]");
    expect(() => new Wire("").decode(broken)).toThrow("no JSON object");
  });
});

describe("code points", () => {
  it("convert both ways around characters of two units", () => {
    const text = "a\u{1F9EA}b\u{1F9EA}";
    expect([0, 1, 2, 3, 4].map((count) => codePointsToUnits(text, count))).toEqual([0, 1, 3, 4, 6]);
    expect([0, 1, 3, 4, 6].map((units) => unitsToCodePoints(text, units))).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("frames between the processes", () => {
  it("survive any cut of the byte stream", () => {
    const sent = Buffer.concat([
      ...encodeFrame({ n: 1 }, [Uint8Array.of(1, 2, 3), new Uint8Array(0)]),
      ...encodeFrame({ n: 2 }),
    ]);
    for (let size = 1; size <= sent.length; size++) {
      const seen: unknown[] = [];
      const reader = new FrameReader<{ n: number }>(({ value, buffers }) =>
        seen.push([value.n, buffers.map((buffer) => [...buffer])]),
      );
      for (let at = 0; at < sent.length; at += size) reader.push(sent.subarray(at, at + size));
      expect(seen).toEqual([
        [1, [[1, 2, 3], []]],
        [2, []],
      ]);
    }
  });
});

describe("output ring", () => {
  it("gives back text in order across its end, joined by stream and cut nowhere inside a character", () => {
    const ring = new OutputRing();
    const seen: Output[] = [];
    const line = `${"\u{1F9EA}x".repeat(5000)}\n`;
    for (let round = 0; round < 100; round++) {
      ring.write(1, "stdout", line, () => undefined);
      ring.write(1, "stdout", "more\n", () => undefined);
      ring.write(2, "stderr", "err\n", () => undefined);
      ring.read((output) => seen.push(output));
    }
    expect(seen.length).toBe(200);
    expect(
      seen.every(({ run, name, text }, index) =>
        index % 2 === 0
          ? run === 1 && name === "stdout" && text === `${line}more\n`
          : run === 2 && name === "stderr" && text === "err\n",
      ),
    ).toBe(true);
  });

  it("stops at a mark, so that a message keeps its place", () => {
    const ring = new OutputRing();
    ring.write(1, "stdout", "before", () => undefined);
    const mark = ring.written;
    ring.write(1, "stdout", "after", () => undefined);
    const seen: string[] = [];
    ring.read((output) => seen.push(output.text), mark);
    expect(seen).toEqual(["before"]);
  });
});
