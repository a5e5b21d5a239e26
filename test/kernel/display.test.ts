import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, errorOf, type Message } from "./client.js";

let client: Client;
beforeAll(async () => {
  client = await Client.warm();
});
afterAll(() => client.stop());

type Data = Record<string, unknown>;
const dataOf = (message: Message): Data => message.content["data"] as Data;

async function result(code: string): Promise<Data> {
  const { published } = await client.execute(code);
  return dataOf(published.find(({ type }) => type === "execute_result")!);
}

async function shown(code: string): Promise<Message[]> {
  const { published } = await client.execute(code);
  return published.filter(({ type }) => type.includes("display_data"));
}

describe("a value", () => {
  it("shows itself by Symbol.for('Jupyter.display'), bytes as base64, JSON without what JSON cannot hold", async () => {
    const code =
      "({ [Symbol.for('Jupyter.display')]: async () => ({ 'image/png': Uint8Array.of(1, 2, 3), 'application/json': { big: 2n, numbers: Float32Array.of(1, 0.5) } }) })";
    expect(await result(code)).toMatchObject({
      "image/png": "AQID",
      "application/json": { big: "2", numbers: [1, 0.5] },
    });
  });

  it("that is a Plotly figure is drawn, with typed arrays as lists", async () => {
    const data = await result(
      "({ data: [{ type: 'bar', name: 'loss', y: Float64Array.of(1, 2) }], layout: { title: 't' } })",
    );
    expect(data).toEqual({
      "application/vnd.plotly.v1+json": { data: [{ type: "bar", name: "loss", y: [1, 2] }], layout: { title: "t" } },
      "text/plain": "Plotly figure: bar loss",
    });
    // An object that only has such keys is none.
    expect(Object.keys(await result("({ data: [1], layout: {} })"))).toEqual(["text/plain"]);
  });

  it.each([
    ["({ $schema: 'https://vega.github.io/schema/vega-lite/v5.json' })", "application/vnd.vegalite.v5+json"],
    ["({ toSpec: () => ({ $schema: 'https://vega.github.io/schema/vega/v6.json' }) })", "application/vnd.vega.v6+json"],
    ["Buffer.from('89504e470d0a1a0a0000', 'hex')", "image/png"],
    ["Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)", "image/jpeg"],
    ["({ toDataURL: () => 'data:image/png;base64,AAAA' })", "image/png"],
    ["({ outerHTML: '<b>bold</b>' })", "text/html"],
    ["({ toRecords: () => [{ a: 1 }], head() {} })", "text/html"],
  ])("is recognized by its shape: %s", async (code, type) => {
    expect(Object.keys(await result(code))).toContain(type);
  });

  it("that throws when it is looked at is shown as text", async () => {
    expect(await result("({ get layout() { throw new Error('no') }, a: 1 })")).toEqual({
      "text/plain": "{ layout: [Getter], a: 1 }",
    });
  });

  it("with many numbers is summed up", async () => {
    expect(await result("Float32Array.from({ length: 1000 }, (_, i) => i)")).toEqual({
      "text/plain": "Float32Array(1000)  min 0  mean 499.5  max 999\n[ 0, 1, 2, 3, 4, 5, 6, 7, … 992 more ]",
    });
    expect(await result("({ dims: [10, 20], type: 'float32', data: new Float32Array(200).fill(NaN, 0, 50) })")).toEqual(
      {
        "text/plain":
          "Tensor [10, 20] float32  min 0  mean 0  max 0  not finite 50\n[ NaN, NaN, NaN, NaN, NaN, NaN, NaN, NaN, … 192 more ]",
      },
    );
  });

  it("that is large is cut with a notice", async () => {
    const text = (await result("Array.from({ length: 90 }, () => Array.from({ length: 90 }, () => 'x'.repeat(90)))"))[
      "text/plain"
    ] as string;
    expect(text).toMatch(/\n… \d+ more characters$/);
    expect(text.length).toBeLessThan(21_000);
    expect(await result("html('x'.repeat(20_000_001))")).toMatchObject({
      "text/plain": expect.stringContaining("[text/html of 20000001 characters is not shown"),
    });
  });
});

describe("display", () => {
  it("takes a bundle with metadata, updates it, and shows nothing for its handle", async () => {
    const { published } = await client.execute(
      "const place = display({ 'text/html': '<i>1</i>' }, { raw: true, metadata: { isolated: true } })\nplace.update({ 'text/html': '<i>2</i>' })\nplace",
    );
    const messages = published.filter(({ type }) => /display|result/.test(type));
    expect(messages.map(({ type }) => type)).toEqual(["display_data", "update_display_data"]);
    expect(messages[0]!.content).toMatchObject({ data: { "text/html": "<i>1</i>" }, metadata: { isolated: true } });
    expect(errorOf(await client.execute("display('text', { raw: true })")).evalue).toContain(
      "the value is a MIME bundle",
    );
  });

  it("serves tslab's functions: one place that is overwritten, or a new one each", async () => {
    const messages = await shown(
      "import * as tslab from 'tslab'\nconst spot = tslab.newDisplay()\nspot.text('one'); spot.markdown('*two*'); tslab.display.png(Uint8Array.of(1)); tslab.display.raw('text/x-own', 'own')",
    );
    expect(messages.map(({ type }) => type)).toEqual([
      "display_data",
      "update_display_data",
      "display_data",
      "display_data",
    ]);
    expect(messages.map(dataOf)).toEqual([
      { "text/plain": "one" },
      { "text/markdown": "*two*" },
      { "image/png": "AQ==" },
      { "text/x-own": "own" },
    ]);
  });
});

describe("table", () => {
  it.each([
    ["table([{ a: 1, b: 'x' }, { a: 2.5, c: true }])", "  a  b  c\n  1  x\n2.5     true"],
    ["table([[1, 'p'], [2, 'q']])", "0  1\n1  p\n2  q"],
    ["table({ x: Float32Array.of(1, 2), y: ['p', 'q'] }, { columns: ['y'] })", "y\np\nq"],
    ["table(new Map([['k', 1]]))", "key  value\nk        1"],
    ["table(new Set([1, 2]), { limit: 1, title: 'T' })", "T\nvalue\n    1\n1 more of 2 rows"],
  ])("%s", async (code, text) => {
    const data = await result(code);
    expect(data["text/plain"]).toBe(text);
    expect(data["text/html"]).toContain("<table>");
  });

  it("refuses what has no rows", async () => {
    expect(errorOf(await client.execute("table(5 as any)")).evalue).toContain("[table] got 5. Supported:");
  });
});

describe("progress", () => {
  const lines = (messages: Message[]) => messages.map((message) => dataOf(message)["text/plain"] as string);

  it("follows an iteration in one place, to its end", async () => {
    const messages = await shown("for (const n of progress([1, 2, 3], 'files')) void n");
    expect(new Set(messages.map(({ content }) => (content["transient"] as Data)["display_id"])).size).toBe(1);
    expect(lines(messages).at(0)).toMatch(/^files \[\.+\] 0 of 3$/);
    expect(lines(messages).at(-1)).toMatch(/^files \[#+\] 3 of 3, \d+\.\d s$/);
  });

  it("says where an iteration was left", async () => {
    const messages = await shown("for (const n of progress([1, 2, 3, 4])) if (n === 2) break");
    expect(lines(messages).at(-1)).toMatch(/1 of 4, stopped after/);
    const thrown = await shown("for (const n of progress([1, 2])) throw new Error('no')");
    expect(lines(thrown).at(-1)).toMatch(/0 of 2, stopped after/);
  });

  it("follows asynchronous iterations, and is moved by hand, and vanishes where that is wanted", async () => {
    const source = "(async function* () { yield 1; yield 2 })()";
    const counted = await shown(`for await (const n of progress(${source}, { unit: 'pages' })) void n`);
    expect(lines(counted).at(-1)).toMatch(/^2 pages, /);
    const byHand = await shown("{ using bar = progress(10, { keep: false }); bar.advance(4) }");
    expect(lines(byHand).at(-1)).toBe("");
  });
});
