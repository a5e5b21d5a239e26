import { snippet } from "./snippet.js";

/** Functions, generators, calls. */
export const functions = [
  snippet(
    "a function used before its declaration",
    "hoisted(3)\nfunction hoisted(n: number): number { return n === 0 ? 0 : n + hoisted(n - 1) }\nhoisted(3)",
    "6",
  ),
  snippet(
    "functions that call each other",
    [
      "function isEven(n: number): boolean { return n === 0 || isOdd(n - 1) }\nfunction isOdd(n: number): boolean { return n !== 0 && isEven(n - 1) }",
      "isEven(10)",
    ],
    "true",
  ),
  snippet(
    "a function that a later cell replaces under its callers",
    [
      "function inner1() { return 'old' }\nfunction outer1() { return inner1() }",
      "function inner1() { return 'new' }",
      "outer1()",
    ],
    "'new'",
    { tslab: "differs" },
  ),
  snippet(
    "overloads",
    [
      "function both(a: string): string\nfunction both(a: number): number\nfunction both(a: unknown): unknown { return a }",
      "both(2)",
    ],
    "2",
    {
      type: ["both(2)", ""],
      completion: ["both(2).toFix", ["toFixed"]],
    },
  ),
  snippet(
    "default parameters of earlier names",
    ["const given = 5", "function useDefault(a = given, b = a + 1) { return [a, b] }\nuseDefault()"],
    "[ 5, 6 ]",
  ),
  snippet(
    "rest parameters and spread arguments",
    ["const sumAll = (...all: number[]) => all.reduce((a, b) => a + b, 0)", "sumAll(...[1, 2, 3])"],
    "6",
  ),
  snippet(
    "documentation of a function",
    ["/** Doubles. @param n what to double */\nfunction doubled(n: number) { return 2 * n }", "doubled(4)"],
    "8",
    {
      type: ["doubled", "function doubled(n: number): number Doubles. @param n what to double"],
    },
  ),
  snippet(
    "names of functions",
    [
      "const arrow = () => 1; const Anonymous = class {}; let fn = function () {}",
      "[arrow.name, Anonymous.name, fn.name]",
    ],
    "[ 'arrow', 'Anonymous', 'fn' ]",
  ),
  snippet("a function called without this", ["function whoAmI(this: unknown) { return this }", "whoAmI()"], "", {
    tslab: "differs",
  }),
  snippet("a method called with its object", ["const self1 = { n: 4, get() { return this.n } }", "self1.get()"], "4"),
  snippet(
    "call, apply, bind",
    [
      "function plus(this: { n: number }, m: number) { return this.n + m }",
      "[plus.call({ n: 1 }, 1), plus.apply({ n: 2 }, [1]), plus.bind({ n: 3 })(1)]",
    ],
    "[ 2, 3, 4 ]",
  ),
  snippet(
    "an arrow that keeps this",
    [
      "class Clock { n = 1; tick = () => this.n++ }",
      "const clock = new Clock(); const { tick } = clock; tick(); clock.n",
    ],
    "2",
  ),
  snippet(
    "closures over an earlier name that counts",
    ["let calls = 0; const called = () => ++calls", "called(); called(); calls"],
    "2",
  ),
  snippet("generators", ["function* count() { yield* [1, 2] }", "[...count()]"], "[ 1, 2 ]", {
    type: ["count", "function count(): Generator<number, void, unknown>"],
  }),
  snippet(
    "a generator that takes values",
    [
      "function* echo(): Generator<number, string, number> { const got = yield 1; return `got ${got}` }",
      "const echoing = echo(); echoing.next(); echoing.next(5).value",
    ],
    "'got 5'",
  ),
  snippet(
    "an async generator",
    [
      "async function* ticks() { yield 1; await null; yield 2 }",
      "const all: number[] = []; for await (const tick of ticks()) all.push(tick); all",
    ],
    "[ 1, 2 ]",
    { tslab: "differs" },
  ),
  snippet(
    "tagged templates and optional calls",
    [
      "const tag = (parts: TemplateStringsArray, ...values: number[]) => parts.join('|') + values\nconst maybe = undefined as (() => number) | undefined",
      "[tag`a${1}b`, maybe?.()]",
    ],
    "[ 'a|b1', undefined ]",
  ),
  snippet("raw templates", ["String.raw`a\\n${1}`"], "'a\\\\n1'"),
  snippet(
    "lines that begin with a call and no semicolon before them",
    "const list = [3]\nlist.push(4)\nwhoIs(list)\nwhoIs(list)\nfunction whoIs(l: number[]) { return l.length }\nlist.length",
    "2",
  ),
  snippet(
    "calls on lines inside blocks, without semicolons",
    [
      "function noop(n: number) { return n }",
      "let last = 0\nif (true) {\n  last = 1\n  noop(last)\n  last = noop(2)\n}\nlast",
    ],
    "2",
  ),
  snippet(
    "a recursive arrow",
    ["const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1))", "factorial(5)"],
    "120",
  ),
  snippet("a function at once", "(() => { const only = 5; return only })()", "5"),
  snippet("an async function at once", "await (async () => 6)()", "6", { tslab: "differs" }),
  snippet(
    "currying with generics",
    [
      "const pipe = <A, B, C>(f: (a: A) => B, g: (b: B) => C) => (a: A) => g(f(a))",
      "pipe((n: number) => n + 1, String)(1)",
    ],
    "'2'",
    {
      type: ["pipe", "const pipe: <A, B, C>(f: (a: A) => B, g: (b: B) => C) => (a: A) => C"],
    },
  ),
  snippet(
    "generics with a constraint",
    [
      "function pluck<T, K extends keyof T>(from: T, key: K): T[K] { return from[key] }",
      "pluck({ a: 1, b: 'x' }, 'b')",
    ],
    "'x'",
  ),
  snippet(
    "an assertion function",
    [
      "function assertText(value: unknown): asserts value is string { if (typeof value !== 'string') throw new Error('no text') }",
      "const perhapsText: unknown = 'abc'; assertText(perhapsText); perhapsText.length",
    ],
    "3",
  ),
  snippet(
    "a type guard",
    [
      "const isText = (value: unknown): value is string => typeof value === 'string'",
      "([1, 'a'] as unknown[]).filter(isText)",
    ],
    "[ 'a' ]",
  ),
  snippet(
    "memoizing by a WeakMap",
    ["const cache = new WeakMap<object, number>(); const token = {}", "cache.set(token, 5).get(token)"],
    "5",
  ),
] as const;
