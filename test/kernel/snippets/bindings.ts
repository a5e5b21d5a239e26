import { snippet } from "./snippet.js";

/** Names across cells: declaring, declaring again, assigning, taking apart. */
export const bindings = [
  snippet("names of an earlier cell", ["const early = 20; let two = 2", "early + two"], "22", {
    type: ["early", "const early: 20"],
    completion: ["earl", ["early"]],
  }),
  snippet(
    "const, then let, then class, then function of one name",
    [
      "const manyThings = 1",
      "let manyThings = 'two'",
      "class manyThings {}",
      "function manyThings() { return 3 }",
      "manyThings()",
    ],
    "3",
    { type: ["manyThings", "function manyThings(): number"] },
  ),
  snippet(
    "a name whose type changes",
    ["let changing = 1", "let changing = { field: 'text' }", "changing.field.length"],
    "4",
    {
      completion: ["changing.", ["field"]],
    },
  ),
  snippet("a value where an interface was", ["interface Twofold { a: number }", "const Twofold = 5", "Twofold"], "5"),
  snippet(
    "a type and a value of one name",
    ["type Both = number; const Both = 6", "const both: Both = Both; both"],
    "6",
  ),
  snippet("assignment to an earlier let", ["let counter = 1", "counter += 4; counter++; counter"], "6"),
  snippet("assignment to a name that nobody declared", ["undeclared = 5", "undeclared"], "5", {
    untyped: true,
    tslab: "differs",
  }),
  snippet(
    "assignment to an earlier const, where nobody checks",
    ["const constant = 1", "constant = 2; constant"],
    "2",
    {
      untyped: true,
      tslab: "differs",
    },
  ),
  snippet(
    "an old function that sees the new value",
    ["let base = 1; const addBase = (x: number) => x + base", "base = 10", "addBase(1)"],
    "11",
    { tslab: "differs" },
  ),
  snippet(
    "an old function that sees a new declaration",
    ["const rate = 1; const rated = () => rate", "const rate = 7", "rated()"],
    "7",
    { tslab: "differs" },
  ),
  snippet(
    "a function that names a later cell's value",
    ["const ahead = () => afterwards * 2", "const afterwards = 4", "ahead()"],
    "8",
    {
      tslab: "differs",
    },
  ),
  snippet(
    "object destructuring with default, rename and rest",
    [
      "const { a, b: renamed = 2, ...rest } = { a: 1, c: 3, d: 4 } as { a: number; b?: number; c: number; d: number }",
      "[a, renamed, rest]",
    ],
    "[ 1, 2, { c: 3, d: 4 } ]",
    { type: ["rest", "const rest: { c: number; d: number; }"] },
  ),
  snippet(
    "array destructuring with hole, default and rest",
    ["const [x, , y = 9, ...more]: any[] = [1, 2, undefined, 4, 5]", "[x, y, more]"],
    "[ 1, 9, [ 4, 5 ] ]",
  ),
  snippet(
    "nested destructuring with a computed key",
    ["const key = 'deep'; const { [key]: { inside: [innermost] } } = { deep: { inside: ['here'] } }; innermost"],
    "'here'",
  ),
  snippet(
    "destructuring of a call's result",
    ["function pair(): [number, string] { return [1, 'b'] }", "const [num, str] = pair(); str + num"],
    "'b1'",
    {
      type: ["str", "const str: string"],
    },
  ),
  snippet(
    "destructuring in parameters",
    [
      "const area = ({ w, h = 2 }: { w: number; h?: number }, [extra]: [number]) => w * h + extra",
      "area({ w: 3 }, [1])",
    ],
    "7",
  ),
  snippet(
    "destructuring with a default of an earlier name",
    ["const fallback = 8", "const { missing = fallback }: { missing?: number } = {}; missing"],
    "8",
  ),
  snippet(
    "destructuring assignment to earlier names",
    ["let p = 1, q = 2", "[p, q] = [q, p]; ({ p } = { p: p * 10 }); [p, q]"],
    "[ 20, 1 ]",
    {
      tslab: "differs",
    },
  ),
  snippet(
    "destructuring assignment with a default and a rest",
    ["let dA = 0, dRest: number[] = []", "[dA = 3, ...dRest] = [undefined as number | undefined, 1, 2]; [dA, dRest]"],
    "[ 3, [ 1, 2 ] ]",
    {
      untyped: true,
    },
  ),
  snippet(
    "destructuring assignment into properties",
    ["const box = { w: 0, h: 0 }", "({ a: box.w, b: box['h'] } = { a: 1, b: 2 }); box"],
    "{ w: 1, h: 2 }",
  ),
  snippet(
    "for of over earlier names",
    ["let seen = 0; let item = 0", "for (item of [1, 2]) seen += item;\n[seen, item]"],
    "[ 3, 2 ]",
  ),
  snippet(
    "for of that takes apart",
    [
      "let total = 0\nfor (const [k, { n }] of Object.entries({ a: { n: 1 }, b: { n: 2 } })) total += n + k.length\ntotal",
    ],
    "5",
  ),
  snippet(
    "shorthand properties of earlier names",
    ["const width = 3, height = 4", "({ width, height })"],
    "{ width: 3, height: 4 }",
    { tslab: "differs" },
  ),
  snippet(
    "shorthand methods and computed names",
    ["const method = 'run'", "({ [method]() { return 1 }, get size() { return 2 } }).size"],
    "2",
  ),
  snippet("a name without initializer", ["let later: number", "later = 3; later"], "3", {
    type: ["later", "let later: number"],
  }),
  snippet("a declaration that resets a name", ["let again = 5", "let again: number | undefined", "again"], ""),
  snippet("var, which keeps a value when it is declared again", ["var kept = 5", "var kept: number", "kept"], "5", {
    tslab: "differs",
  }),
  snippet("var in a loop, and after it", ["for (var turn = 0; turn < 3; turn++) {}", "turn"], "3", {
    tslab: "differs",
  }),
  snippet(
    "var in a block and in a branch",
    ["{ var blocked = 1 }\nif (true) { var branched = 2 }", "blocked + branched"],
    "3",
    { tslab: "differs" },
  ),
  snippet(
    "let in a loop, which stays there",
    ["for (let gone = 0; gone < 3; gone++) {}", "typeof gone"],
    "'undefined'",
    { tslab: "differs" },
  ),
  snippet(
    "closures of a loop, each with its own let",
    ["const fs: (() => number)[] = []\nfor (let i = 0; i < 3; i++) fs.push(() => i)\nfs.map((f) => f())"],
    "[ 0, 1, 2 ]",
  ),
  snippet("typeof of an unknown name", ["typeof neverSeen"], "'undefined'", { tslab: "differs" }),
  snippet(
    "shadowing by parameters, catch and blocks",
    [
      "const shade = 'outer'",
      "((shade: string) => { try { throw 'thrown' } catch (shade) { { const shade = 'inner'; return shade } } })('parameter') + shade",
    ],
    "'innerouter'",
  ),
  snippet(
    "shadowing by a function's own var and let",
    ["const hidden = 1", "(() => { var hidden = 2; { let hidden = 3; void hidden } return hidden })() + hidden"],
    "3",
  ),
  snippet(
    "shadowing of a global of JavaScript",
    ["const Array2 = Array; const parseInt = () => 42", "parseInt()"],
    "42",
  ),
  snippet("shadowing of a global of the kernel", ["const display = 3, table = 4", "display + table"], "7"),
  snippet(
    "shadowing that libraries do not see",
    ["const crypto = 'mine'", "import { randomUUID } from 'node:crypto'; [crypto, randomUUID().length]"],
    "[ 'mine', 36 ]",
  ),
  snippet(
    "a name that the kernel uses itself",
    ["const meta$ = 1, $ = 2, cell = 3, exports = 4", "[meta$, $, cell, exports]"],
    "[ 1, 2, 3, 4 ]",
    {
      tslab: "differs",
    },
  ),
  snippet(
    "names of JavaScript's prototype",
    ["const constructor = 1, hasOwnProperty = 2, toString = 3", "[constructor, hasOwnProperty, toString]"],
    "[ 1, 2, 3 ]",
  ),
  snippet(
    "labels and property names that are also cell names",
    ["const outer = 1", "outer: for (;;) { break outer }\n({ outer: 2 }).outer"],
    "2",
  ),
  snippet(
    "a name used inside a template and a regular expression",
    ["const word = 'x'", "new RegExp(`^${word}+$`).test('xx')"],
    "true",
  ),
  snippet(
    "a getter's name that is also a cell name",
    ["const size = 1", "class Sized { get size() { return size + 1 } }\nnew Sized().size"],
    "2",
  ),
  snippet("globalThis, which is not the notebook", ["const notGlobal = 1", "'notGlobal' in globalThis"], "false"),
  snippet("a global that a cell sets", ["(globalThis as any).setByHand = 4", "(globalThis as any).setByHand"], "4"),
  snippet(
    "several names in one statement, one from the other",
    ["const one1 = 1, two2 = one1 + 1, three3 = two2 + 1", "three3"],
    "3",
  ),
  snippet(
    "a declare, which defines nothing",
    ["declare const fromElsewhere: number", "typeof fromElsewhere"],
    "'undefined'",
    {
      type: ["fromElsewhere", "const fromElsewhere: number"],
    },
  ),
  snippet(
    "eval and Function, which see globals only",
    ["const local = 1", "new Function('return typeof local')()"],
    "'undefined'",
  ),
  snippet(
    "arguments of a function",
    ["function countAll() { return arguments.length }", "(countAll as (...all: number[]) => number)(1, 2, 3)"],
    "3",
  ),
  snippet("this of the cell", ["this === undefined"], "true", { untyped: true, tslab: "differs" }),
  snippet(
    "one interface in two cells, which do not merge",
    ["interface Alone { a: number }", "interface Alone { b: number }", "const alone: Alone = { b: 1 }; alone"],
    "{ b: 1 }",
  ),
] as const;
