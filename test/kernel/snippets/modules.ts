import { snippet } from "./snippet.js";

/** Imports and exports; the files are those of `folder.ts`. */
export const modules = [
  snippet(
    "export, which changes nothing",
    ["export const exported = 1; export function shared() { return exported }", "shared()"],
    "1",
    { tslab: "differs" },
  ),
  snippet(
    "export of a list, and of another module",
    ["const listed = 2\nexport { listed, listed as renamed2 }\nexport * from './esm.mjs'", "listed"],
    "2",
    { tslab: "differs" },
  ),
  snippet("export default, which is the result", "export default 3 * 3", "9", { tslab: "differs" }),
  snippet(
    "import of a builtin",
    ["import { join as joined } from 'node:path'\nimport * as os from 'os'", "[joined('a', 'b'), typeof os.cpus]"],
    "[ 'a/b', 'function' ]",
    {
      completion: ["os.cpu", ["cpus"]],
    },
  ),
  snippet("import of a builtin's default", ["import fs from 'node:fs'", "typeof fs.readFileSync"], "'function'"),
  snippet(
    "an import used in a later function",
    ["import { basename } from 'node:path'", "const baseOf = (path: string) => basename(path)", "baseOf('/a/b.txt')"],
    "'b.txt'",
    {
      type: [
        "basename",
        "(method) basename(path: string, suffix?: string): string Return the last portion of a path. Similar to the Unix basename command. Often used to extract the file name from a fully qualified path. @param path the path to evaluate. @param suffix optionally, an extension to remove from the result. @throws {TypeError} if `path` is not a string or if `ext` is given and is not a string.",
      ],
    },
  ),
  snippet(
    "an import behind other statements",
    "const beforeImport = 1\nimport { sep } from 'node:path'\n[beforeImport, sep]",
    "[ 1, '/' ]",
  ),
  snippet(
    "an import whose name is declared again",
    ["import { resolve } from 'node:path'", "const resolve = (n: number) => n", "resolve(4)"],
    "4",
  ),
  snippet(
    "a name that becomes an import",
    ["const extname = 1", "import { extname } from 'node:path'", "extname('a.b')"],
    "'.b'",
  ),
  snippet(
    "import of ESM, named and default",
    ["import Thing, { answer } from './esm.mjs'", "[answer, Thing.name]"],
    "[ 42, 'Thing' ]",
    {},
  ),
  snippet(
    "import of a whole module",
    ["import * as whole from './esm.mjs'", "Object.keys(whole)"],
    "[ 'answer', 'default', 'live' ]",
    { tslab: "differs" },
  ),
  snippet("import for its effects", ["import './effect.mjs'", "(globalThis as any).effect"], "'happened'"),
  snippet(
    "import of CommonJS, default and named",
    ["import common, { first } from './common.cjs'", "[common.first, first]"],
    "[ 1, 1 ]",
    {},
  ),
  snippet(
    "import of a name that Node does not see in CommonJS",
    ["import { hidden as found1 } from './plain.cjs'", "found1"],
    "'found'",
    { tslab: "differs" },
  ),
  snippet("import = require", ["import path2 = require('node:path')", "path2.sep"], "'/'", { tslab: "differs" }),
  snippet("import of JSON", ["import numbers from './numbers.json' with { type: 'json' }", "numbers"], "[ 1, 2, 3 ]", {
    type: ["numbers", "const numbers: number[]"],
    tslab: "differs",
  }),
  snippet("import of JSON without saying so", ["import plainly from './numbers.json'", "plainly.length"], "3"),
  snippet(
    "import of a package with nothing but an exports map",
    ["import { via } from 'only-exports'", "via"],
    "'exports map'",
    { type: ["via", "const via: string"], tslab: "differs" },
  ),
  snippet("import of a path of an exports map", ["import { sub } from 'only-exports/sub'", "sub"], "'sub path'", {
    tslab: "differs",
  }),
  snippet(
    "import of an ESM package without types",
    ["import whatever from 'untyped'", "whatever.anything"],
    "'untyped value'",
    {},
  ),
  snippet("import of a scoped CommonJS package", ["import { scoped } from '@scope/pkg'", "scoped"], "'scoped'"),
  snippet(
    "import of a TypeScript file, which imports another by its .js name",
    [
      "import { area as areaOf, type Box } from './shapes.ts'\nconst box1: Box = { width: 3, height: 4 }",
      "areaOf(box1)",
    ],
    "12",
    {
      type: ["areaOf", "const areaOf: (box: Box) => number The area of a box."],
      completion: ["box1.", ["height", "width"]],
      tslab: "differs",
    },
  ),
  snippet("import of a TypeScript file without an ending", ["import { times } from './maths'", "times(6, 7)"], "42"),
  snippet(
    "import of a TypeScript file by the name of its JavaScript",
    ["import { times as times3 } from './maths.js'", "times3(2, 2)"],
    "4",
  ),
  snippet("import of a folder with an index", ["import { fromIndex } from './folder'", "fromIndex"], "'index'", {
    tslab: "differs",
  }),
  snippet(
    "import of a TypeScript file with an enum and a decorator",
    ["import { Mode, decorated } from './modern.ts'", "[Mode.On, decorated]"],
    "[ 1, 'decorated' ]",
    { tslab: "differs" },
  ),
  snippet("files that import each other", ["import { pingPong } from './ping.ts'", "pingPong()"], "'ping pong'", {
    tslab: "differs",
  }),
  snippet(
    "import of types, which loads nothing",
    "import type { Nothing2 } from 'does-not-exist'\nimport { type Other } from './esm.mjs'\n1",
    "1",
    { tslab: "differs" },
  ),
  snippet(
    "import of a type only by its use",
    ["import { Box } from './shapes.ts'\nconst box2: Box = { width: 1, height: 2 }", "box2.height"],
    "2",
    { tslab: "differs" },
  ),
  snippet(
    "a type that looks like a value in an import",
    ["import { answer as ok, NotThere } from './esm.mjs'", "ok"],
    "42",
    { tslab: "differs" },
  ),
  snippet("dynamic import", "(await import('./esm.mjs')).answer", "42"),
  snippet(
    "dynamic import inside a function",
    [
      "const loadLater = async (name: string) => (await import(name)) as { sep: string }",
      "(await loadLater('node:path')).sep",
    ],
    "'/'",
  ),
  snippet("dynamic import of TypeScript", "(await import('./maths.ts')).times(2, 3)", "6", { tslab: "differs" }),
  snippet("import of a data address", "(await import('data:text/javascript,export default 7')).default", "7", {
    tslab: "differs",
  }),
  snippet("require", "require('./numbers.json').length", "3"),
  snippet("require of TypeScript", ["require('./maths.ts').times(3, 3)"], "9", { tslab: "differs" }),
  snippet("require.resolve", "require.resolve('node:path')", "'node:path'"),
  snippet(
    "import.meta",
    "[import.meta.filename.endsWith('cell.ts'), import.meta.dirname === process.cwd(), import.meta.url.startsWith('file:')]",
    "[ true, true, true ]",
    { tslab: "differs" },
  ),
  snippet("import.meta.resolve", "import.meta.resolve('node:path')", "'node:path'", { tslab: "differs" }),
  snippet("__dirname", "__dirname === process.cwd()", "true", { tslab: "differs" }),
  snippet(
    "the kernel's own copy of the library's events",
    ["import { events } from 'nibble-lab/events'", "events.heard('training.step')"],
    "true",
    { completion: ["events.hea", ["heard"]], tslab: "differs" },
  ),
  snippet(
    "the library",
    ["import { quantize, Tensor } from 'nibble-lab'", "[typeof quantize, Tensor.name]"],
    "[ 'function', 'Tensor' ]",
    { tslab: "differs" },
  ),
  snippet(
    "tslab's display functions",
    ["import * as tslab from 'tslab'", "Object.keys(tslab).sort()"],
    "[ 'display', 'newDisplay', 'versions' ]",
    {
      completion: [
        "tslab.display.",
        ["gif", "html", "javascript", "jpeg", "latex", "markdown", "pdf", "png", "raw", "svg", "text"],
      ],
    },
  ),
  snippet("tslab by require", ["const { display: shows } = require('tslab')", "typeof shows.html"], "'function'"),
  snippet(
    "globals of Node",
    "[typeof fetch, typeof structuredClone, typeof Buffer, typeof process.version, typeof URL, typeof AbortSignal]",
    "[ 'function', 'function', 'function', 'string', 'function', 'function' ]",
  ),
  snippet("assert", "import assert from 'node:assert/strict'\nassert.equal(1, 1)\n'held'", "'held'"),
] as const;
