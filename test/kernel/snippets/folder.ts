import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const files: Readonly<Record<string, string>> = {
  "package.json": '{ "name": "notebook", "type": "commonjs" }',
  "numbers.json": "[1, 2, 3]",
  "esm.mjs": "export const answer = 42; export default class Thing {}; export let live = 1;",
  "effect.mjs": "globalThis.effect = 'happened';",
  "common.cjs": "exports.first = 1;",
  "plain.cjs": "const made = {}; made['hid' + 'den'] = 'found'; module.exports = made;",
  "shapes.ts":
    "import { times } from './maths.js'; export interface Box { width: number; height: number }\n/** The area of a box. */\nexport const area = (box: Box): number => times(box.width, box.height);",
  "maths.ts": "export function times(a: number, b: number): number { return a * b; }",
  "folder/index.ts": "export const fromIndex = 'index';",
  "modern.ts":
    "export enum Mode { Off, On }\nfunction mark(_: unknown, context: ClassMethodDecoratorContext) { return () => 'decorated'; }\nclass Uses { @mark method() { return ''; } }\nexport const decorated = new Uses().method();",
  "ping.ts":
    "import { pong } from './pong.ts'; export const ping = () => 'ping'; export const pingPong = () => `${ping()} ${pong()}`;",
  "pong.ts": "import { ping } from './ping.ts'; export const pong = () => ping().replace('i', 'o');",
  "node_modules/only-exports/package.json":
    '{ "name": "only-exports", "exports": { ".": { "types": "./deep.d.mts", "import": "./deep.mjs" }, "./sub": "./sub.mjs" } }',
  "node_modules/only-exports/deep.mjs": "export const via = 'exports map';",
  "node_modules/only-exports/deep.d.mts": "export declare const via: string;",
  "node_modules/only-exports/sub.mjs": "export const sub = 'sub path';",
  "node_modules/untyped/package.json": '{ "name": "untyped", "type": "module", "main": "index.js" }',
  "node_modules/untyped/index.js": "export default { anything: 'untyped value' };",
  "node_modules/@scope/pkg/package.json": '{ "name": "@scope/pkg", "main": "main.js" }',
  "node_modules/@scope/pkg/main.js": "module.exports = { scoped: 'scoped' };",
};

/** A folder for notebooks, with the modules that the snippets import. Its name has a space and a letter outside ASCII. */
export function notebookFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "nibble cells ü-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}
