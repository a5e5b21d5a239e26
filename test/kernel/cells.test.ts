import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, errorOf } from "./client.js";

const folder = mkdtempSync(join(tmpdir(), "nibble cells ü-")); // a space and a letter outside ASCII
let client: Client;
beforeAll(async () => {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "notebook", type: "commonjs" }));
  writeFileSync(join(folder, "numbers.json"), "[1, 2, 3]");
  writeFileSync(
    join(folder, "esm.mjs"),
    "export const answer = 42; export default class Thing {}; export let live = 1;",
  );
  writeFileSync(
    join(folder, "shapes.ts"),
    "import { times } from './maths.js'; export interface Box { width: number; height: number }\nexport const area = (box: Box): number => times(box.width, box.height);",
  );
  writeFileSync(join(folder, "maths.ts"), "export function times(a: number, b: number): number { return a * b; }");
  writeFileSync(join(folder, "plain.cjs"), "const made = {}; made['hid' + 'den'] = 'found'; module.exports = made;");
  mkdirSync(join(folder, "node_modules", "only-exports"), { recursive: true });
  writeFileSync(
    join(folder, "node_modules", "only-exports", "package.json"),
    JSON.stringify({ name: "only-exports", exports: { ".": { import: "./deep.mjs" } } }),
  );
  writeFileSync(join(folder, "node_modules", "only-exports", "deep.mjs"), "export const via = 'exports map';");
  client = await Client.warm({ cwd: folder });
});
afterAll(async () => {
  await client.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Cells that run one after the other, and the text of the last one's result. */
const table: readonly (readonly [string, readonly string[], string])[] = [
  ["an expression", ["1 + 1"], "2"],
  ["an expression with a semicolon", ["'kept';"], "'kept'"],
  ["a declaration, which has no value", ["const silent = 1"], ""],
  ["an object", ["{ a: 1, b: [2] }"], "{ a: 1, b: [ 2 ] }"],
  ["a block, which has no value", ["{ const inner = 1; inner }"], ""],
  ["comments around a result", ["// before\n1 + 2 // after"], "3"],
  ["a trailing type after the result", ["7 as number\ninterface Nothing { a: 1 }"], "7"],
  ["names of an earlier cell", ["const early = 20; let two = 2", "early + two"], "22"],
  [
    "const, then let, then class, then function of one name",
    ["const name = 1", "let name = 2", "class name {}", "function name() { return 3 }", "name()"],
    "3",
  ],
  ["assignment to an earlier let", ["let counter = 1", "counter += 4; counter++; counter"], "6"],
  ["assignment to a name that nobody declared", ["undeclared = 5", "undeclared"], "5"],
  [
    "an old function that sees the new value",
    ["let base = 1; const addBase = (x: number) => x + base", "base = 10", "addBase(1)"],
    "11",
  ],
  [
    "a function that names a later cell's value",
    ["const ahead = () => afterwards * 2", "const afterwards = 4", "ahead()"],
    "8",
  ],
  [
    "a function used before its declaration",
    ["hoisted(3)\nfunction hoisted(n: number): number { return n === 0 ? 0 : n + hoisted(n - 1) }\nhoisted(3)"],
    "6",
  ],
  [
    "object destructuring with default, rename and rest",
    ["const { a, b: renamed = 2, ...rest } = { a: 1, c: 3, d: 4 }", "[a, renamed, rest]"],
    "[ 1, 2, { c: 3, d: 4 } ]",
  ],
  [
    "array destructuring with hole, default and rest",
    ["const [x, , y = 9, ...more]: any[] = [1, 2, undefined, 4, 5]", "[x, y, more]"],
    "[ 1, 9, [ 4, 5 ] ]",
  ],
  [
    "nested destructuring with a computed key",
    ["const key = 'deep'; const { [key]: { inside: [first] } } = { deep: { inside: ['here'] } }; first"],
    "'here'",
  ],
  [
    "destructuring assignment to earlier names",
    ["let p = 1, q = 2", "[p, q] = [q, p]; ({ p } = { p: p * 10 }); [p, q]"],
    "[ 20, 1 ]",
  ],
  [
    "shorthand properties of earlier names",
    ["const width = 3, height = 4", "({ width, height })"],
    "{ width: 3, height: 4 }",
  ],
  ["a name without initializer", ["let later: number", "later = 3; later"], "3"],
  ["var in a loop, and after it", ["for (var turn = 0; turn < 3; turn++) {}", "turn"], "3"],
  ["let in a loop, which stays there", ["for (let gone = 0; gone < 3; gone++) {}", "typeof gone"], "'undefined'"],
  ["typeof of an unknown name", ["typeof neverSeen"], "'undefined'"],
  [
    "shadowing by parameters, catch and blocks",
    [
      "const shade = 'outer'",
      "((shade: string) => { try { throw 'thrown' } catch (shade) { { const shade = 'inner'; return shade } } })('parameter') + shade",
    ],
    "'innerouter'",
  ],
  [
    "labels and property names that are also cell names",
    ["const outer = 1", "outer: for (;;) { break outer }\n({ outer: 2 }).outer"],
    "2",
  ],
  ["top-level await", ["await Promise.resolve(3)"], "3"],
  ["await of a parenthesis", ["await (async () => 3)()"], "3"],
  ["await in the middle, a name after it", ["const waited = await Promise.all([1, 2])", "waited"], "[ 1, 2 ]"],
  ["for await", ["let sum = 0\nfor await (const n of (async function* () { yield 1; yield 2 })()) sum += n\nsum"], "3"],
  ["a promise that is not awaited", ["Promise.resolve(1)"], "Promise { 1 }"],
  [
    "a class with private, static, getter and parameter property",
    [
      "class Point { #hidden = 1; static made = 0; constructor(public x: number) { Point.made++ } get sum() { return this.x + this.#hidden } }",
      "[new Point(2).sum, Point.made]",
    ],
    "[ 3, 1 ]",
  ],
  [
    "a class that extends one of an earlier cell",
    [
      "class Animal { speak() { return 'sound' } }",
      "class Dog extends Animal { override speak() { return super.speak() + ' woof' } }\nnew Dog().speak()",
    ],
    "'sound woof'",
  ],
  [
    "an abstract class and an interface",
    [
      "interface Shape { area(): number }\nabstract class Base implements Shape { abstract area(): number }\nclass Square extends Base { area() { return 4 } }",
      "new Square().area()",
    ],
    "4",
  ],
  ["an enum, used in a later cell", ["enum Colour { Red, Green = 5 }", "[Colour.Green, Colour[0]]"], "[ 5, 'Red' ]"],
  ["a const enum", ["const enum Level { Low = 1, High }", "Level.High"], "2"],
  [
    "a namespace",
    ["namespace Geometry { export const pi = 3; export function twice() { return pi * 2 } }", "Geometry.twice()"],
    "6",
  ],
  [
    "stage 3 decorators",
    [
      "const log = (_: unknown, context: { name: string | symbol }) => function () { return `made by ${String(context.name)}` }\nclass Made { @log method() { return '' } }",
      "new Made().method()",
    ],
    "'made by method'",
  ],
  [
    "generics and satisfies",
    [
      "const same = <T,>(value: T) => value\nconst settings = { a: 1 } satisfies Record<string, number>",
      "same<number>(settings.a)",
    ],
    "1",
  ],
  [
    "using, which ends with its cell",
    [
      "const log2: string[] = []\nusing handle = { [Symbol.dispose]() { log2.push('disposed') } }\nlog2.push('used')",
      "log2",
    ],
    "[ 'used', 'disposed' ]",
  ],
  ["generators", ["function* count() { yield* [1, 2] }", "[...count()]"], "[ 1, 2 ]"],
  [
    "tagged templates and optional calls",
    [
      "const tag = (parts: TemplateStringsArray, ...values: number[]) => parts.join('|') + values\nconst maybe: (() => number) | undefined = undefined",
      "[tag`a${1}b`, maybe?.()]",
    ],
    "[ 'a|b1', undefined ]",
  ],
  ["functions called without this", ["function whoAmI(this: unknown) { return this }", "whoAmI()"], ""],
  [
    "lines that begin with a call and no semicolon before them",
    [
      "const list = [3]\nlist.push(4)\nwhoIs(list)\nwhoIs(list)\nfunction whoIs(l: number[]) { return l.length }\nlist.length",
    ],
    "2",
  ],
  [
    "names of functions",
    ["const arrow = () => 1; const Anonymous = class {}", "[arrow.name, Anonymous.name]"],
    "[ 'arrow', 'Anonymous' ]",
  ],
  ["a name that the kernel uses itself", ["const meta$ = 1, $ = 2, display = 3", "[meta$, $, display]"], "[ 1, 2, 3 ]"],
  [
    "export, which changes nothing",
    ["export const exported = 1; export function shared() { return exported }", "shared()"],
    "1",
  ],
  ["export default, which is the result", ["export default 3 * 3"], "9"],
  [
    "import of a builtin",
    ["import { join as joined } from 'node:path'\nimport * as os from 'os'", "[joined('a', 'b'), typeof os.cpus]"],
    "[ 'a/b', 'function' ]",
  ],
  [
    "import of ESM, named and default",
    ["import Thing, { answer } from './esm.mjs'", "[answer, Thing.name]"],
    "[ 42, 'Thing' ]",
  ],
  [
    "import of a name that Node does not see in CommonJS",
    ["import { hidden } from './plain.cjs'", "hidden"],
    "'found'",
  ],
  ["import of JSON", ["import numbers from './numbers.json' with { type: 'json' }", "numbers"], "[ 1, 2, 3 ]"],
  [
    "import of a package with nothing but an exports map",
    ["import { via } from 'only-exports'", "via"],
    "'exports map'",
  ],
  [
    "import of a TypeScript file, which imports another by its .js name",
    ["import { area, type Box } from './shapes.ts'\nconst box: Box = { width: 3, height: 4 }", "area(box)"],
    "12",
  ],
  [
    "import of types, which loads nothing",
    ["import type { Nothing2 } from 'does-not-exist'\nimport { type Other } from './esm.mjs'\n1"],
    "1",
  ],
  ["a type that looks like a value in an import", ["import { answer as ok, NotThere } from './esm.mjs'\nok"], "42"],
  ["dynamic import", ["(await import('./esm.mjs')).answer"], "42"],
  [
    "require and import.meta",
    ["[require('./numbers.json').length, import.meta.filename.endsWith('cell.ts')]"],
    "[ 3, true ]",
  ],
  [
    "the kernel's own copy of the library's events",
    ["import { events } from 'nibble-lab/events'", "events.heard('training.step')"],
    "true",
  ],
];

describe("cells", () => {
  it.each(table)("%s", async (_name, cells, expected) => {
    let text = "";
    for (const cell of cells) text = await client.value(cell);
    expect(text).toBe(expected);
  });

  it("keep what a failed cell had defined", async () => {
    await client.execute("const half = 'defined'; throw new Error('stop'); const other = 1");
    expect(await client.value("[half, typeof other]")).toBe("[ 'defined', 'undefined' ]");
  });
});

describe("errors", () => {
  it("show the line and column of the cell, and the frames of cells only", async () => {
    await client.value(
      "function inner(value: number) {\n  // a comment\n  if (value > 1) throw new TypeError('too large')\n}",
    );
    const { ename, evalue, traceback } = errorOf(
      await client.execute("interface Gone { a: number }\n\nconst given: number = 2\ninner(given)"),
    );
    expect([ename, evalue]).toEqual(["TypeError", "too large"]);
    expect(
      traceback.filter((line) => line.startsWith("    at ")).map((line) => line.replace(/Cell\[\d+\]/, "Cell")),
    ).toEqual(["    at inner (Cell.ts:3:24)", "    at Cell.ts:4:1"]);
    expect(traceback).toContain("> 3 |   if (value > 1) throw new TypeError('too large')");
  });

  it("name functions and values as the cell does", async () => {
    await client.value("const notAFunction: any = 3");
    expect(errorOf(await client.execute("notAFunction()")).evalue).toBe("notAFunction is not a function");
    expect(errorOf(await client.execute("missingName")).evalue).toBe("missingName is not defined");
  });

  it("point at what does not parse", async () => {
    const { ename, traceback } = errorOf(await client.execute("const fine = 1\nconst broken = ;"));
    expect(ename).toBe("SyntaxError");
    expect(traceback.join("\n")).toContain("> 2 | const broken = ;\n    |                ^");
  });

  it("refuse one name declared twice in a cell", async () => {
    expect(errorOf(await client.execute("const twice = 1; const twice = 2")).evalue).toMatch(/twice/);
  });

  it("say where a cell waited for what failed", async () => {
    const { traceback } = errorOf(
      await client.execute("const fail = async () => { await null; throw new Error('later') }\n\nawait fail()"),
    );
    expect(traceback.at(-1)).toMatch(/Cell\[\d+\]\.ts:3:7$/);
  });

  it("show causes with their own places", async () => {
    const { traceback } = errorOf(
      await client.execute("const inner = new Error('inner')\nthrow new Error('outer', { cause: inner })"),
    );
    expect(traceback.map((line) => line.replace(/Cell\[\d+\]/, "Cell"))).toEqual([
      "Error: outer",
      "  Cell.ts:2:7",
      "  1 | const inner = new Error('inner')",
      "> 2 | throw new Error('outer', { cause: inner })",
      "    |       ^",
      "    at Cell.ts:2:7",
      "Caused by Error: inner",
      "  Cell.ts:1:15",
      "> 1 | const inner = new Error('inner')",
      "    |               ^",
      "  2 | throw new Error('outer', { cause: inner })",
      "    at Cell.ts:1:15",
    ]);
  });

  it("show each error of an AggregateError", async () => {
    const { traceback } = errorOf(
      await client.execute(
        "await Promise.any([Promise.reject(new Error('one')), Promise.reject(new TypeError('two'))])",
      ),
    );
    expect(traceback).toEqual(expect.arrayContaining(["[0] Error: one", "[1] TypeError: two"]));
  });

  it("show things that are no errors", async () => {
    expect(errorOf(await client.execute("throw 'just text'"))).toMatchObject({ ename: "Thrown", evalue: "just text" });
  });

  it("say which names a module has when one is missing", async () => {
    await client.value("import { notExported } from './esm.mjs'");
    expect(errorOf(await client.execute("notExported")).evalue).toBe(
      '"./esm.mjs" exports no "notExported". It exports: answer, live.',
    );
  });
});
