import { snippet } from "./snippet.js";

/** Waiting at the top level, and things that end with their cell. */
export const asynchronous = [
  snippet("top-level await", "await Promise.resolve(3)", "3"),
  snippet("await of a parenthesis", "await (Promise.resolve(4))", "4", { tslab: "differs" }),
  snippet(
    "await in the middle, a name after it",
    ["const waited = await Promise.all([1, Promise.resolve('b')])", "waited"],
    "[ 1, 'b' ]",
    { type: ["waited", "const waited: [number, string]"] },
  ),
  snippet(
    "await in a destructuring",
    ["const { data: awaited1 = 0 } = await Promise.resolve({ data: 5 })", "awaited1"],
    "5",
  ),
  snippet(
    "await inside a template, an array, a call, a condition",
    "`${await 1}${[await 2]}${String(await 3)}${(await true) ? 4 : 5}`",
    "'1234'",
  ),
  snippet(
    "await in a loop and a block",
    "let waitedSum = 0\nfor (const n of [1, 2]) { waitedSum += await Promise.resolve(n) }\nif (await true) waitedSum += 10\nwaitedSum",
    "13",
  ),
  snippet(
    "await in a class field's computed key",
    "class Late { [await Promise.resolve('k')] = 1 }\nObject.keys(new Late())",
    "[ 'k' ]",
    { tslab: "differs", untyped: true },
  ),
  snippet(
    "an async arrow inside a cell that does not wait",
    ["const notNow = async () => { await null; return 1 }", "typeof notNow().then"],
    "'function'",
  ),
  snippet(
    "an async method and getter of a class",
    [
      "class Service { async load() { return await Promise.resolve('loaded') } get later() { return this.load() } }",
      "await new Service().later",
    ],
    "'loaded'",
  ),
  snippet(
    "for await",
    "let sum = 0\nfor await (const n of (async function* () { yield 1; yield 2 })()) sum += n\nsum",
    "3",
    { tslab: "differs" },
  ),
  snippet(
    "for await over promises",
    "const got: number[] = []\nfor await (const n of [Promise.resolve(1), 2]) got.push(n)\ngot",
    "[ 1, 2 ]",
    { tslab: "differs" },
  ),
  snippet(
    "for await that is left, which ends its source",
    [
      "let ended = false\nasync function* endless() { try { for (let i = 0; ; i++) yield i } finally { ended = true } }",
      "for await (const n of endless()) if (n === 2) break\nended",
    ],
    "true",
    { tslab: "differs" },
  ),
  snippet("a promise that is not awaited", "Promise.resolve(1)", "Promise { 1 }"),
  snippet(
    "a rejected promise that is caught",
    "await Promise.reject(new Error('no')).catch((error: Error) => error.message)",
    "'no'",
  ),
  snippet(
    "allSettled",
    "(await Promise.allSettled([Promise.resolve(1), Promise.reject(2)])).map((one) => one.status)",
    "[ 'fulfilled', 'rejected' ]",
  ),
  snippet(
    "withResolvers by hand",
    [
      "let settle: (n: number) => void = () => {}; const settled = new Promise<number>((resolve) => (settle = resolve))",
      "settle(8); await settled",
    ],
    "8",
  ),
  snippet("a timer", "await new Promise<string>((resolve) => setTimeout(() => resolve('rang'), 5))", "'rang'"),
  snippet(
    "timers as promises",
    "import { setTimeout as sleep } from 'node:timers/promises'\nawait sleep(1, 'slept')",
    "'slept'",
  ),
  snippet("an awaited thenable", "await { then(resolve: (n: number) => void) { resolve(5) } }", "5", {
    tslab: "differs",
  }),
  snippet("a promise kept in a name", ["const kept1 = (async () => 9)()", "await kept1"], "9"),
  snippet(
    "a stream",
    "import { Readable } from 'node:stream'\nconst chunks: string[] = []\nfor await (const chunk of Readable.from(['a', 'b'])) chunks.push(chunk as string)\nchunks",
    "[ 'a', 'b' ]",
    { tslab: "differs" },
  ),
  snippet(
    "events.once",
    "import { EventEmitter, once } from 'node:events'\nconst emitter = new EventEmitter()\nqueueMicrotask(() => emitter.emit('ready', 1))\nawait once(emitter, 'ready')",
    "[ 1 ]",
  ),
  snippet(
    "using, which ends with its cell",
    [
      "const log2: string[] = []\nusing handle = { [Symbol.dispose]() { log2.push('disposed') } }\nlog2.push('used')",
      "log2",
    ],
    "[ 'used', 'disposed' ]",
    { tslab: "differs" },
  ),
  snippet(
    "using in a block, before the result",
    "const order: string[] = []\n{ using inBlock = { [Symbol.dispose]() { order.push('gone') } }; order.push('there') }\norder",
    "[ 'there', 'gone' ]",
    { tslab: "differs" },
  ),
  snippet(
    "two usings, the last first",
    "const lifo: number[] = []\nconst res = (n: number) => ({ [Symbol.dispose]() { lifo.push(n) } })\n{ using a1 = res(1), b1 = res(2) }\nlifo",
    "[ 2, 1 ]",
    { tslab: "differs" },
  ),
  snippet(
    "await using",
    [
      "const closed: string[] = []\nawait using connection = { async [Symbol.asyncDispose]() { await null; closed.push('closed') } }",
      "closed",
    ],
    "[ 'closed' ]",
    { tslab: "differs" },
  ),
  snippet(
    "using in a cell with functions and classes",
    [
      "using tool = { n: 2, [Symbol.dispose]() {} }\nfunction usesTool() { return tool.n }\nclass UsesTool { n = tool.n }\nconst fromTool = usesTool() + new UsesTool().n",
      "fromTool",
    ],
    "4",
    { tslab: "differs" },
  ),
  snippet("the signal of a cell", "kernel.signal.aborted", "false", { tslab: "differs" }),
  snippet(
    "an iterator's helpers by hand",
    "function* evens() { for (let i = 0; ; i += 2) yield i }\nconst firstEvens: number[] = []\nfor (const n of evens()) { if (n > 4) break; firstEvens.push(n) }\nfirstEvens",
    "[ 0, 2, 4 ]",
  ),
] as const;
