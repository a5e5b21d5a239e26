/**
 * Our kernel beside those of Deno, tslab and IPython, by one client: how soon they answer, also while a cell runs, what they do
 * with much output and with interrupts, and their memory. Each time is the least of its runs: other work only adds.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, streamText, type Message, type StartOptions } from "../kernel/client.js";
import { compare, type Row } from "./report.js";

interface Rival {
  readonly name: string;
  readonly start: StartOptions;
  /** The same deeds in its language. */
  readonly words: Words;
}

interface Words {
  readonly spin: (seconds: number) => string;
  readonly spinAfterAwait: string;
  readonly awaitForEver: string;
  readonly lines: (count: number) => string;
  /** One print of so many characters. */
  readonly print: (characters: number) => string;
  /** So many prints of 10,000 characters each. */
  readonly flood: (prints: number) => string;
  /** Begins the name of a member; a front end asks about another text each time. */
  readonly member: (attempt: number) => string;
  readonly typed: (cell: number) => string;
}

type Measured = Map<string, { readonly unit: string; readonly value: number }>;

const STARTS = 5;
/** What a kernel loads beside its first answers has been loaded after this. */
const SETTLE_MS = 3000;
const CELLS = 60;
const REPEATS = 20;
const LINES = 100_000;
const FLOODS = 3;
/** What takes longer than this counts as never. */
const LIMIT_MS = 15_000;

const TYPESCRIPT: Words = {
  spin: (seconds) => `for (const end = Date.now() + ${seconds * 1000}; Date.now() < end; );`,
  spinAfterAwait: "await new Promise((resolve) => setTimeout(resolve, 1)); for (;;);",
  awaitForEver: "await new Promise(() => {})",
  lines: (count) => `for (let line = 0; line < ${count}; line++) console.log("line " + line)`,
  print: (characters) => `console.log("x".repeat(${characters}))`,
  flood: (prints) => `for (let n = 0; n < ${prints}; n++) process.stdout.write("x".repeat(9999) + "\\n")`,
  member: (attempt) => `const length${attempt} = Math.hyp`,
  typed: (cell) => `interface Point${cell} { readonly x: number; readonly y: number; readonly label?: string }
class Cloud${cell}<T extends Point${cell}> {
  private readonly points: T[] = [];
  add(point: T): this { this.points.push(point); return this; }
  get centre(): { x: number; y: number } {
    const sum = this.points.reduce((total, { x, y }) => ({ x: total.x + x, y: total.y + y }), { x: 0, y: 0 });
    return { x: sum.x / this.points.length, y: sum.y / this.points.length };
  }
}
const cloud${cell} = new Cloud${cell}<Point${cell}>().add({ x: 1, y: 2 }).add({ x: 3, y: 4, label: "b" });
const centres${cell}: ReadonlyMap<string, number> = new Map(Object.entries(cloud${cell}.centre));
centres${cell}.get("x")`,
};

const PYTHON: Words = {
  spin: (seconds) => `import time\nend = time.time() + ${seconds}\nwhile time.time() < end: pass`,
  spinAfterAwait: "import asyncio\nawait asyncio.sleep(0.001)\nwhile True: pass",
  awaitForEver: "import asyncio\nawait asyncio.Event().wait()",
  lines: (count) => `for line in range(${count}): print("line", line)`,
  print: (characters) => `print("x" * ${characters})`,
  flood: (prints) => `for n in range(${prints}): print("x" * 9999)`,
  member: (attempt) => `import math\nlength${attempt} = math.hyp`,
  typed: (cell) => `class Cloud${cell}:\n  def __init__(self): self.points = []\n  def add(self, x, y):
    self.points.append((x, y))\n    return self\n  @property\n  def centre(self):
    n = len(self.points)\n    return {"x": sum(x for x, _ in self.points) / n, "y": sum(y for _, y in self.points) / n}
cloud${cell} = Cloud${cell}().add(1, 2).add(3, 4)\ncentres${cell} = dict(cloud${cell}.centre)\ncentres${cell}["x"]`,
};

/** @param python interpreter of an environment; it has ipykernel, and its folder may have Deno and tslab in node_modules */
export async function kernel(python: string | null): Promise<Row[]> {
  const ours = await measure({ name: "ours", start: {}, words: TYPESCRIPT });
  const theirs: [string, Measured][] = [];
  for (const rival of rivals(python)) theirs.push([rival.name, await measure(rival)]);
  return [...ours].flatMap(([name, { unit, value }]) => {
    const of = theirs.flatMap(([rival, all]) => (all.has(name) ? [[rival, all.get(name)!.value] as const] : []));
    return compare("kernel", name, unit, value, new Map(of));
  });
}

function rivals(python: string | null): Rival[] {
  if (python === null) return [];
  const modules = join(dirname(dirname(python)), "node_modules");
  const deno = join(modules, "deno", "deno");
  const tslab = join(modules, "tslab", "bin", "tslab");
  // tslab finds Node's types only from a folder that has them.
  const startedBy = (command: (file: string) => string[]) => ({ start: { command, cwd: dirname(modules) } });
  const all = [
    {
      name: "Deno",
      at: deno,
      words: TYPESCRIPT,
      ...startedBy((file) => [deno, "jupyter", "--kernel", "--conn", file]),
    },
    {
      name: "tslab",
      at: tslab,
      words: TYPESCRIPT,
      ...startedBy((file) => [process.execPath, tslab, "kernel", "--config-path", file]),
    },
    {
      name: "ipykernel",
      at: python,
      words: PYTHON,
      ...startedBy((file) => [python, "-m", "ipykernel_launcher", "-f", file]),
    },
  ];
  return all.filter(({ at }) => existsSync(at));
}

async function measure(rival: Rival): Promise<Measured> {
  const measured: Measured = new Map();
  const note = (name: string, unit: string, value: number) => measured.set(name, { unit, value });
  const starts: number[] = [];
  const firsts: number[] = [];
  for (let round = 0; round < STARTS; round++) {
    const { client, ready, started } = await ready1(rival);
    starts.push(ready);
    await done(client, "1 + 1");
    firsts.push(performance.now() - started);
    await client.kill();
  }
  note("start to kernel_info_reply", "ms", least(starts));
  note("start to the first cell's reply", "ms", least(firsts));
  const { client } = await ready1(rival);
  await sleep(SETTLE_MS);
  note("memory before the first cell", "bytes", memoryOf(client.process.pid!));
  await done(client, "1 + 1");
  await sleep(SETTLE_MS);
  await answers(client, rival, note);
  await output(client, rival, note);
  await underOutput(client, rival, note);
  note("memory at the end", "bytes", memoryOf(client.process.pid!));
  await client.kill();
  await interrupts(rival, note);
  return measured;
}

type Note = (name: string, unit: string, value: number) => void;

async function ready1(rival: Rival): Promise<{ client: Client; ready: number; started: number }> {
  const started = performance.now();
  const client = await Client.start(rival.start);
  await client.request("shell", "kernel_info_request");
  return { client, ready: performance.now() - started, started };
}

/** @throws where the cell fails: its time would mean nothing */
async function done(client: Client, code: string): Promise<void> {
  const { content } = await client.reply(await client.start(code));
  if (content["status"] !== "ok") throw new Error(`[bench] a cell failed: ${code}\n${JSON.stringify(content)}`);
}

async function answers(client: Client, { words, name }: Rival, note: Note): Promise<void> {
  for (let cell = 1; cell < CELLS; cell++) await done(client, words.typed(cell));
  const typed: number[] = [];
  for (let cell = CELLS; cell < CELLS + REPEATS; cell++) typed.push(await replied(client, words.typed(cell)));
  note(`12 lines after ${CELLS} cells`, "ms", least(typed));
  note(`1 + 1 after ${CELLS} cells`, "ms", await repeated(() => replied(client, "1 + 1")));
  if (name === "ours") {
    await done(client, "%types off");
    note(`1 + 1 after ${CELLS} cells, types off`, "ms", await repeated(() => replied(client, "1 + 1")));
  }
  const complete = completion(client, words);
  await complete();
  note("completion, idle", "ms", await repeated(complete));
  note("completion, busy", "ms", await whileBusy(client, words, complete));
  const control = () => timed(client.request("control", "kernel_info_request"));
  note("control, busy", "ms", await whileBusy(client, words, control));
  note("heartbeat, busy", "ms", await whileBusy(client, words, () => timed(client.heartbeat("beat"))));
}

function completion(client: Client, { member }: Words): () => Promise<number> {
  let attempt = 0;
  return () => {
    const code = member(++attempt);
    return timed(client.request("shell", "complete_request", { code, cursor_pos: code.length }));
  };
}

/** Of the answers that came while the cell ran; the first where none did. */
async function whileBusy(client: Client, words: Words, ask: () => Promise<number>): Promise<number> {
  const id = await client.start(words.spin(2));
  const ofCell = (message: Message) => message.parent["msg_id"] === id;
  await client.published((message) => ofCell(message) && message.content["execution_state"] === "busy");
  await sleep(100);
  let isOver = false;
  const reply = client.reply(id).then(() => (isOver = true));
  const values = [await ask()];
  for (let round = 1; round < 5; round++) {
    const value = await ask();
    if (!isOver) values.push(value);
  }
  await reply;
  return least(values);
}

async function output(client: Client, { words }: Rival, note: Note): Promise<void> {
  const start = performance.now();
  const id = await client.start(words.lines(LINES));
  const executed = await within(client.finished(id));
  note(`${LINES} lines, to idle`, "ms", executed === null ? Infinity : performance.now() - start);
  const lines = (messages: readonly Message[]) => streamText(messages).split("\n").length - 1;
  note(`${LINES} lines, arrived by idle`, "lines", lines(executed?.published ?? client.iopub));
}

/** The longest that an answer took while a cell floods the client, which reads all of it in the same thread. */
async function underOutput(client: Client, { words }: Rival, note: Note): Promise<void> {
  const complete = completion(client, words);
  const asks = {
    heartbeat: () => timed(client.heartbeat("beat")),
    control: () => timed(client.request("control", "kernel_info_request")),
    completion: complete,
  };
  const cells = { "100k prints": words.lines(LINES), "a 50 MB print": words.print(50e6), "1 GB": words.flood(100_000) };
  for (const [cell, code] of Object.entries(cells)) {
    await complete();
    const worst = new Map<string, number>();
    for (let run = 0; run < FLOODS; run++) {
      const id = await client.start(code);
      let isOver = false;
      const reply = within(client.reply(id)).then(() => (isOver = true));
      while (!isOver) {
        for (const [name, ask] of Object.entries(asks)) worst.set(name, Math.max(worst.get(name) ?? 0, await ask()));
        await sleep(5);
      }
      await reply;
    }
    for (const [name, value] of worst) note(`${name} during ${cell}, worst`, "ms", value);
  }
}

async function interrupts(rival: Rival, note: Note): Promise<void> {
  const cases = {
    "endless loop": "for (;;);",
    "loop after an await": rival.words.spinAfterAwait,
    "await for ever": rival.words.awaitForEver,
  };
  if (rival.words === PYTHON) cases["endless loop"] = "while True: pass";
  for (const [name, code] of Object.entries(cases)) {
    const { client } = await ready1(rival);
    await done(client, "1 + 1");
    const id = await client.start(code);
    const reply = client.reply(id);
    const isOver = await Promise.race([reply.then(() => true), sleep(1000, false)]);
    const start = performance.now();
    if (rival.name === "ours" || rival.name === "Deno") await client.send("control", "interrupt_request", {});
    else client.process.kill("SIGINT");
    const isEnded = (await within(reply)) !== null;
    // A kernel that refuses such a cell at once was not interrupted.
    if (!isOver) note(`interrupt, ${name}`, "ms", isEnded ? performance.now() - start : Infinity);
    await client.kill();
  }
}

async function replied(client: Client, code: string): Promise<number> {
  return timed(done(client, code));
}

async function timed(answer: Promise<unknown>): Promise<number> {
  const start = performance.now();
  return (await within(answer)) === null ? Infinity : performance.now() - start;
}

async function repeated(once: () => Promise<number>, times = REPEATS): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round < times; round++) values.push(await once());
  return least(values);
}

async function within<Value>(promise: Promise<Value>): Promise<Value | null> {
  const limit = new AbortController();
  const late = sleep(LIMIT_MS, null, { signal: limit.signal }).catch(() => null);
  const value = await Promise.race([promise, late]);
  limit.abort();
  return value;
}

function least(values: readonly number[]): number {
  return Math.min(...values);
}

/** Bytes of a process and all below it; pages that several share count once in total. */
function memoryOf(pid: number): number {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const status = readIfThere(`/proc/${entry}/status`);
    parents.set(Number(entry), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0));
  }
  const isBelow = (child: number): boolean => child === pid || (parents.has(child) && isBelow(parents.get(child)!));
  const share = (child: number) => Number(/^Pss:\s+(\d+)/m.exec(readIfThere(`/proc/${child}/smaps_rollup`))?.[1] ?? 0);
  return [...parents.keys()].filter(isBelow).reduce((total, child) => total + share(child) * 1024, 0);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}
