import { snippet } from "./snippet.js";

/** Classes, decorators, enums, namespaces. */
export const classes = [
  snippet(
    "a class with private, static, getter and parameter property",
    [
      "class Point { #hidden = 1; static made = 0; constructor(public x: number) { Point.made++ } get sum() { return this.x + this.#hidden } }",
      "[new Point(2).sum, Point.made]",
    ],
    "[ 3, 1 ]",
    { type: ["new Point(2).sum", "(property) Point.sum: number"], completion: ["new Point(2).", ["sum", "x"]] },
  ),
  snippet(
    "a class that extends one of an earlier cell",
    [
      "class Animal { speak() { return 'sound' } }",
      "class Dog extends Animal { override speak() { return super.speak() + ' woof' } }\nnew Dog().speak()",
    ],
    "'sound woof'",
  ),
  snippet(
    "a class declared again: old instances keep theirs",
    [
      "class Version { n = 1 }; const oldOne = new Version()",
      "class Version { n = 2 }",
      "[oldOne.n, new Version().n, (oldOne as object) instanceof Version]",
    ],
    "[ 1, 2, false ]",
  ),
  snippet(
    "an abstract class and an interface",
    [
      "interface Shape { area(): number }\nabstract class Base implements Shape { abstract area(): number }\nclass Square extends Base { area() { return 4 } }",
      "new Square().area()",
    ],
    "4",
  ),
  snippet(
    "a static block",
    ["class Registry { static readonly all: string[] = []; static { Registry.all.push('set up') } }", "Registry.all"],
    "[ 'set up' ]",
  ),
  snippet(
    "private methods and in",
    [
      "class Vault { #key = 1; #open() { return this.#key } static has(o: object) { return #key in o && o.#open() === 1 } }",
      "Vault.has(new Vault())",
    ],
    "true",
  ),
  snippet(
    "an accessor",
    ["class Temperature { accessor celsius = 20 }", "const t = new Temperature(); t.celsius += 1; t.celsius"],
    "21",
  ),
  snippet(
    "a class expression that names itself",
    ["const Named = class Inner { static own = () => Inner.name }", "Named.own()"],
    "'Inner'",
  ),
  snippet(
    "fields that use earlier names",
    ["const start = 10", "class Uses { value = start + 1; static twice = start * 2 }\n[new Uses().value, Uses.twice]"],
    "[ 11, 20 ]",
  ),
  snippet(
    "a computed method name and a symbol",
    [
      "const methodName = 'go'",
      "class Dynamic { [methodName]() { return 1 } *[Symbol.iterator]() { yield 2 } }\n[new Dynamic().go(), ...new Dynamic()]",
    ],
    "[ 1, 2 ]",
  ),
  snippet(
    "a generic class",
    [
      "class Stack<T> { private items: T[] = []; push(item: T) { this.items.push(item); return this } peek() { return this.items.at(-1) } }",
      "new Stack<string>().push('top').peek()",
    ],
    "'top'",
    {
      type: ["new Stack<string>().peek", "(method) Stack<string>.peek(): string | undefined"],
    },
  ),
  snippet(
    "a mixin",
    [
      "type Constructor = new (...all: any[]) => object\nconst Tagged = <B extends Constructor>(Base: B) => class extends Base { tag = 'tagged' }",
      "class Thing1 {}; new (Tagged(Thing1))().tag",
    ],
    "'tagged'",
  ),
  snippet(
    "extending a builtin",
    [
      "class HttpError extends Error { constructor(readonly status: number) { super(`status ${status}`) } }",
      "const e = new HttpError(404); [e.message, e instanceof Error, e.status]",
    ],
    "[ 'status 404', true, 404 ]",
  ),
  snippet(
    "a subclass of Array",
    ["class Row extends Array<number> { sum() { return this.reduce((a, b) => a + b, 0) } }", "Row.from([1, 2]).length"],
    "2",
  ),
  snippet(
    "a class used before its own static is set",
    ["class Counter { static count = 0; id = ++Counter.count }", "new Counter(); new Counter().id"],
    "2",
  ),
  snippet(
    "stage 3 decorators",
    [
      "const log = (_: unknown, context: { name: string | symbol }) => function () { return `made by ${String(context.name)}` }\nclass Made { @log method() { return '' } }",
      "new Made().method()",
    ],
    "'made by method'",
    { tslab: "differs" },
  ),
  snippet(
    "a decorator of a class, from an earlier cell",
    [
      "function sealed<T extends new (...all: any[]) => object>(target: T, _: ClassDecoratorContext) { Object.seal(target); return target }",
      "@sealed class Sealed { a = 1 }\nObject.isSealed(Sealed)",
    ],
    "true",
    { tslab: "differs" },
  ),
  snippet(
    "a decorator of a field, with a factory",
    [
      "const times2 = (factor: number) => (_: undefined, __: ClassFieldDecoratorContext) => (value: number) => value * factor",
      "class Scaled { @times2(3) n = 2 }\nnew Scaled().n",
    ],
    "6",
    { tslab: "differs" },
  ),
  snippet(
    "a decorator of an accessor",
    [
      "function clamp(target: ClassAccessorDecoratorTarget<unknown, number>, _: ClassAccessorDecoratorContext): ClassAccessorDecoratorResult<unknown, number> { return { get() { return target.get.call(this) }, set(v) { target.set.call(this, Math.min(v, 10)) } } }",
      "class Dial { @clamp accessor level = 0 }\nconst dial = new Dial(); dial.level = 99; dial.level",
    ],
    "10",
    { tslab: "differs" },
  ),
  snippet(
    "an enum, used in a later cell",
    ["enum Colour { Red, Green = 5 }", "[Colour.Green, Colour[0]]"],
    "[ 5, 'Red' ]",
    { completion: ["Colour.", ["Green", "Red"]] },
  ),
  snippet(
    "an enum of text and of computed members",
    ["enum Mixed { A = 'a'.length, B = 1 << 3 }\nenum Words { Yes = 'yes' }", "[Mixed.A, Mixed.B, Words.Yes]"],
    "[ 1, 8, 'yes' ]",
  ),
  snippet("a const enum", ["const enum Level { Low = 1, High }", "Level.High"], "2"),
  snippet("an enum declared again", ["enum Phase { One }", "enum Phase { Two = 7 }", "Phase.Two"], "7"),
  snippet("an enum in two parts of one cell", ["enum Parts { A = 1 }\nenum Parts { B = 2 }", "Parts.A + Parts.B"], "3"),
  snippet(
    "a namespace",
    ["namespace Geometry { export const pi = 3; export function twice() { return pi * 2 } }", "Geometry.twice()"],
    "6",
    { completion: ["Geometry.", ["pi", "twice"]] },
  ),
  snippet(
    "nested namespaces and an alias",
    ["namespace Outer.Inner { export const deep = 9 }\nimport Alias = Outer.Inner", "Alias.deep"],
    "9",
  ),
  snippet(
    "a namespace of types only, which leaves nothing",
    ["namespace OnlyTypes { export interface A { a: number } }", "const typed: OnlyTypes.A = { a: 1 }; typed.a"],
    "1",
  ),
  snippet(
    "a namespace that adds to a function",
    ["function widget() { return widget.count }\nnamespace widget { export let count = 3 }", "widget()"],
    "3",
  ),
  snippet(
    "a namespace that adds to a class",
    [
      "class Parser { kind: Parser.Kind = Parser.Kind.Text }\nnamespace Parser { export enum Kind { Text = 4 } }",
      "new Parser().kind",
    ],
    "4",
    { untyped: true },
  ),
  snippet(
    "a class in a block, which stays there",
    ["{ class Inside {} ; void Inside }\ntypeof Inside"],
    "'undefined'",
    { tslab: "differs" },
  ),
] as const;
