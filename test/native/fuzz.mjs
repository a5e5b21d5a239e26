/**
 * Throws malformed calls at the addon: `node fuzz.mjs SEED CALLS`. Prints what came back, by code, and the bytes and
 * tensors that are left over, as one line of JSON.
 */
import { readFileSync } from "node:fs";
import * as native from "@nibble-lab/native";

const [seed, calls] = process.argv.slice(2).map(Number);
const declarations = readFileSync(new URL("../../native/index.d.ts", import.meta.url), "utf8");
/** Those that do not belong to one call: the limit and the flag of the whole process, the start of a GPU driver. */
const excluded = new Set(["setMemoryLimit", "interrupt", "devices"]);
const names = Object.keys(native).filter((name) => typeof native[name] === "function" && !excluded.has(name));
const typesOf = (text) =>
  [...text.matchAll(/(\w+)(\?)?: ([^,;]+)[,;]?/g)].map(([, name, optional, type]) => ({ name, optional, type }));
/** Of each function its parameters, of each interface its fields, of each alias the words it stands for. */
const parameters = new Map(
  [...declarations.matchAll(/^export declare function (\w+)\(([^]*?)\): /gm)].map(([, name, list]) => [
    name,
    typesOf(list),
  ]),
);
const interfaces = new Map(
  [...declarations.replace(/\/\*\*[^]*?\*\//g, "").matchAll(/^export interface (\w+) \{([^]*?)^\}/gm)].map(
    ([, name, list]) => [name, typesOf(list)],
  ),
);
const aliases = new Map(
  [...declarations.matchAll(/^export type (\w+) = ([^;]+);/gm)].map(([, name, type]) => [name, type]),
);
/** Every field that some options or result have. */
const fields = [...new Set([...declarations.matchAll(/^ {2}(\w+)\??:/gm)].map((match) => match[1]))];
const words = [...new Set([...declarations.matchAll(/"(\w+)"/g)].map((match) => match[1]))];

let state = seed >>> 0;
/** mulberry32 */
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let z = Math.imul(state ^ (state >>> 15), state | 1);
  z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
  return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
}
const pick = (list) => list[Math.floor(random() * list.length)];
const some = (most, make) => Array.from({ length: Math.floor(random() * (most + 1)) }, make);

const pool = [];
let gone = [];
function makePool() {
  const dims = [0, 1, 2, 3, 8, 17, 64];
  for (let i = 0; i < 40; i++) {
    const shape = some(4, () => pick(dims));
    if (shape.reduce((a, b) => a * b, 1) > 70_000) continue;
    pool.push(native.tensorZeros(shape, pick(["f32", "f32", "f32", "i32", "u8", "f16", "bf16"]), "weights", "fuzz"));
  }
  for (const [rows, columns] of [
    [8, 8],
    [17, 64],
    [64, 64],
    [64, 17],
  ]) {
    pool.push(native.tensorRandomNormal([rows, columns], 1, rows, "weights", "fuzz"));
  }
  const odd = Float32Array.of(Number.NaN, Infinity, -Infinity, 1e38, -0, 1e-45, 1, -1);
  pool.push(native.tensorFromBytes(new Uint8Array(odd.buffer), "f32", [2, 4], "weights", "fuzz"));
  const ids = Int32Array.of(-1, 0, 5, 2 ** 31 - 1);
  pool.push(native.tensorFromBytes(new Uint8Array(ids.buffer), "i32", [4], "weights", "fuzz"));
}
makePool();

const numbers = [
  0,
  1,
  2,
  3,
  4,
  8,
  16,
  17,
  64,
  -1,
  -0,
  0.5,
  1e-8,
  Number.NaN,
  Infinity,
  -Infinity,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  1e300,
];
const odd = () =>
  pick([
    undefined,
    null,
    true,
    false,
    "",
    "text",
    Symbol.iterator,
    10n,
    () => 0,
    new Date(0),
    /x/,
    new Uint8Array(3),
    new Float64Array(2),
  ]);
/** Objects that call back into the engine, change what they say, or throw, while their fields are read. */
function hostile() {
  const target = {};
  for (const field of some(4, () => pick(fields))) {
    Object.defineProperty(target, field, {
      enumerable: true,
      configurable: true,
      get: () => {
        const kind = random();
        if (kind < 0.3) throw new TypeError("a getter threw");
        if (kind < 0.6) return settle("in a getter", () => native.add(pick(pool), pick(pool)));
        return value(0);
      },
    });
  }
  return random() < 0.2 ? new Proxy(target, {}) : target;
}
function value(depth) {
  const kind = random();
  if (kind < 0.4) return pick(pool);
  if (kind < 0.45 && gone.length > 0) return pick(gone);
  if (kind < 0.6) return pick(numbers);
  if (kind < 0.7) return pick(words);
  if (kind < 0.76 || depth > 2) return odd();
  if (kind < 0.88) return some(4, () => (random() < 0.8 ? pick([...numbers, ...pool]) : value(depth + 1)));
  if (kind < 0.91) return hostile();
  return Object.fromEntries(some(6, () => pick(fields)).map((field) => [field, value(depth + 1)]));
}

/** A value of a declared type, which may still be out of range, or of a tensor of another shape. */
function plausible(type) {
  const element = /^(?:Array<(.*)>|(.*)\[\])$/.exec(type);
  if (element !== null) return some(4, () => plausible(element[1] ?? element[2]));
  if (type.includes('"')) return pick(type.match(/\w+/g));
  if (type === "Handle") return pick(pool);
  if (type === "number") return random() < 0.7 ? pick([0, 1, 2, 3, 4, 8, 16, 64]) : pick(numbers);
  if (type === "boolean") return random() < 0.5;
  if (type === "string") return pick(["fuzz", "cpu", "int4", "nf4", "f64"]);
  if (type === "Uint8Array") return new Uint8Array(pick([0, 3, 16, 32, 256]));
  if (aliases.has(type)) return plausible(aliases.get(type));
  const given = (interfaces.get(type) ?? []).filter(({ optional }) => !optional || random() < 0.6);
  return Object.fromEntries(given.map((field) => [field.name, random() < 0.05 ? value(1) : plausible(field.type)]));
}
/** Arguments at random, or such as the declarations ask for with a few at random. */
function argumentsOf(name) {
  if (random() < 0.3) return some(7, () => value(0));
  return parameters.get(name).map(({ type }) => (random() < 0.1 ? value(0) : plausible(type)));
}

const outcomes = {};
const unknown = [];
const count = (outcome) => (outcomes[outcome] = (outcomes[outcome] ?? 0) + 1);
const owned = () => new Set(pool);

/** Frees what a call returned: every number in it that is a tensor of its own. */
function free(result) {
  const values = typeof result === "object" && result !== null ? Object.values(result) : [result];
  for (const handle of values) {
    if (typeof handle !== "number" || owned().has(handle)) continue;
    try {
      native.tensorInfo(handle);
      native.tensorDispose(handle);
      gone.push(handle);
    } catch {
      // A number, not a tensor.
    }
  }
  gone = gone.slice(-50);
}
function failed(name, error) {
  const code = error?.code;
  count(code ?? "no code");
  if (code === undefined || code === "InternalError") unknown.push(`${name}: ${String(error?.message ?? error)}`);
}
function settle(name, call) {
  let result;
  try {
    result = call();
  } catch (error) {
    // What a getter of ours threw is ours.
    if (error?.message?.includes("a getter threw")) return count("getter");
    return failed(name, error);
  }
  if (result instanceof Promise) {
    running.push(
      result.then(
        (given) => (count("resolved"), free(given)),
        (error) => failed(name, error),
      ),
    );
    return undefined;
  }
  count("returned");
  free(result);
  return undefined;
}

native.setMemoryLimit(native.memoryStats()[0].live + 16 * 2 ** 20);
let running = [];
for (let call = 0; call < calls; call++) {
  const name = pick(names);
  // A tensor of the pool is disposed of now and then, and replaced.
  if (name === "tensorDispose") {
    const index = Math.floor(random() * pool.length);
    const [old] = pool.splice(index, 1, native.tensorZeros([8, 8], "f32", "weights", "fuzz"));
    settle(name, () => native.tensorDispose(old));
    gone.push(old);
    continue;
  }
  const given = argumentsOf(name);
  settle(name, () => native[name](...given));
  if (running.length >= 16) {
    await Promise.all(running);
    running = [];
  }
}
await Promise.all(running);
native.setMemoryLimit(0);
for (const handle of pool) native.tensorDispose(handle);
const { live, tensors } = native.memoryStats()[0];
console.log(JSON.stringify({ outcomes, unknown: unknown.slice(0, 20), live, tensors }));
