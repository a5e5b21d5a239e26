import { snippet } from "./snippet.js";

/** What only TypeScript sees: it flows from cell to cell, and leaves nothing behind. */
export const types = [
  snippet(
    "an interface across cells",
    ["interface Animal2 { species: string; legs?: number }", "const cat: Animal2 = { species: 'cat' }; cat.species"],
    "'cat'",
    {
      type: ["cat", "const cat: Animal2"],
      completion: ["cat.", ["legs", "species"]],
    },
  ),
  snippet("a generic alias", ["type Pair<T> = [T, T]", "const twins: Pair<number> = [1, 2]; twins"], "[ 1, 2 ]", {
    type: ["twins", "const twins: Pair<number>"],
  }),
  snippet(
    "a union that narrows",
    [
      "type Result = { ok: true; value: number } | { ok: false; error: string }",
      "const result = { ok: true, value: 3 } as Result; result.ok ? result.value : result.error",
    ],
    "3",
    { tslab: "differs" },
  ),
  snippet(
    "a mapped and a conditional type",
    [
      "type Getters<T> = { [K in keyof T as `get${Capitalize<string & K>}`]: () => T[K] }",
      "const getters: Getters<{ name: string }> = { getName: () => 'n' }; getters.getName()",
    ],
    "'n'",
    {
      completion: ["getters.", ["getName"]],
    },
  ),
  snippet(
    "infer",
    ["type Element<T> = T extends readonly (infer E)[] ? E : never", "const element: Element<string[]> = 'e'; element"],
    "'e'",
  ),
  snippet(
    "a recursive type",
    [
      "type Tree = { value: number; children: Tree[] }",
      "const tree: Tree = { value: 1, children: [{ value: 2, children: [] }] }; tree.children[0]!.value",
    ],
    "2",
  ),
  snippet(
    "generics and satisfies",
    [
      "const same = <T,>(value: T) => value\nconst settings = { a: 1 } satisfies Record<string, number>",
      "same<number>(settings.a)",
    ],
    "1",
    {
      type: ["settings", "const settings: { a: number; }"],
    },
  ),
  snippet("as const", ["const modes = ['r', 'w'] as const", "modes[1]"], "'w'", {
    type: ["modes", 'const modes: readonly ["r", "w"]'],
  }),
  snippet(
    "a const type parameter",
    ["function tuple<const T extends readonly unknown[]>(value: T) { return value }", "tuple(['a', 1])[0]"],
    "'a'",
    {},
  ),
  snippet(
    "a unique symbol",
    [
      "const brand: unique symbol = Symbol('brand'); type Branded = { [brand]: number }",
      "const branded: Branded = { [brand]: 1 }; branded[brand]",
    ],
    "1",
  ),
  snippet("a template literal type", ["type Size = `${number}px`", "const padding: Size = '4px'; padding"], "'4px'"),
  snippet(
    "keyof and typeof of an earlier value",
    ["const config = { host: 'h', port: 1 }", "const field: keyof typeof config = 'port'; config[field]"],
    "1",
  ),
  snippet(
    "a non-null assertion and a cast",
    ["const found = [1, 2].find((n) => n > 1)!\nfound as unknown as string", "found"],
    "2",
  ),
  snippet("a definite assignment", ["let assigned!: number", "assigned = 4; assigned"], "4"),
  snippet(
    "an abstract constructor type",
    [
      "abstract class Abstract1 { abstract n: number }",
      "type Ctor = abstract new () => Abstract1\nconst ctor: Ctor = Abstract1; ctor.name",
    ],
    "'Abstract1'",
  ),
  snippet(
    "declaration merging in one cell",
    [
      "interface Merged { a: number }\ninterface Merged { b: number }",
      "const merged: Merged = { a: 1, b: 2 }; merged.a + merged.b",
    ],
    "3",
  ),
  snippet(
    "an augmentation of the globals",
    [
      "declare global { interface Array<T> { second(): T | undefined } }\nArray.prototype.second = function () { return this[1] }",
      "[1, 2].second()",
    ],
    "2",
    { tslab: "differs" },
  ),
  snippet("a type query of an import", ["const stats: import('node:fs').Stats | null = null", "stats"], "null", {
    tslab: "differs",
  }),
  snippet(
    "any, which nothing is said about",
    ['const loose: any = JSON.parse(\'{"deep":{"n":1}}\')', "loose.deep.n"],
    "1",
  ),
  snippet(
    "a parameter without a type, which is no mistake here",
    ["function untypedParameter(value) { return value }", "untypedParameter(3)"],
    "3",
  ),
  snippet(
    "an index that may be missing",
    ["const record: Record<string, number> = { a: 1 }", "record['b'] === undefined"],
    "true",
  ),
  snippet(
    "a JavaScript object used as a dictionary",
    ["const dictionary = {}; dictionary['key'] = 1", "dictionary['key']"],
    "1",
    { untyped: true },
  ),
  snippet("ts-ignore", ["// @ts-ignore\nconst wrongOnPurpose: number = 'text'\nwrongOnPurpose"], "'text'"),
  snippet(
    "ts-expect-error",
    ["// @ts-expect-error it is text\nconst expectedWrong: number = 'text'\nexpectedWrong"],
    "'text'",
  ),
  snippet("ts-nocheck", ["// @ts-nocheck\nconst neverChecked: number = 'text'\nneverChecked"], "'text'", {
    tslab: "differs",
  }),
  snippet(
    "optional and readonly",
    [
      "interface Options1 { readonly name: string; depth?: number }",
      "const options1: Options1 = { name: 'n' }; options1.depth ?? 0",
    ],
    "0",
  ),
  snippet(
    "exhaustiveness with never",
    [
      "type Kind = 'a' | 'b'; function kindOf(kind: Kind): number { switch (kind) { case 'a': return 1; case 'b': return 2; default: { const never: never = kind; return never } } }",
      "kindOf('b')",
    ],
    "2",
  ),
  snippet(
    "completion of text that a type allows",
    ["declare function paint(colour: 'red' | 'green'): void", "typeof paint"],
    "'undefined'",
    {
      completion: ["paint('", ["green", "red"]],
    },
  ),
  snippet(
    "completion inside an object that a type describes",
    [
      "interface Settings2 { verbose: boolean; limit: number }\nfunction configure(settings: Settings2) { return settings.limit }",
      "configure({ verbose: true, limit: 2 })",
    ],
    "2",
    {
      completion: ["configure({ ver", ["verbose"]],
    },
  ),
  snippet(
    "completion after an optional chain",
    ["const optional = undefined as { inside: number } | undefined", "optional?.inside ?? 'none'"],
    "'none'",
    { completion: ["optional?.", ["inside"]] },
  ),
  snippet(
    "completion of what a promise gives",
    ["const promised = Promise.resolve({ given: 1 })", "(await promised).given"],
    "1",
    { completion: ["(await promised).", ["given"]] },
  ),
  snippet("completion inside a function of the cell", ["const thing = { only: 1 }", "thing.only"], "1", {
    completion: ["function inside() { const local1 = thing; return local1.", ["only"]],
  }),
  snippet("completion of a module's name", ["1"], "1", {
    completion: ["import {} from 'node:child_p", ["node:child_process"]],
  }),
  snippet("completion of a module's exports", ["2"], "2", { completion: ["import { basen", []] }),
  snippet("completion of a local file's name", ["3"], "3", { completion: ["import {} from './math", ["maths"]] }),
  snippet("inspection of a parameter", ["4"], "4", {
    type: ["function f(parameter: string[]) { return parameter", "(parameter) parameter: string[]"],
  }),
  snippet("inspection of a method with documentation", ["5"], "5", {
    type: [
      "[1].at",
      "(method) Array<number>.at(index: number): number | undefined Returns the item located at the specified index. @param index The zero-based index of the desired code unit. A negative index will count back from the last item.",
    ],
  }),
] as const;
