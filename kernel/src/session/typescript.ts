import { isAscii } from "node:buffer";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { threadId } from "node:worker_threads";

/** By then what cells need of the compiler has run, so that its functions are kept compiled too. */
const KEEP_AFTER_MS = 5000;

const require = createRequire(import.meta.url);
const file = require.resolve("typescript6");
type Body = (exports: object, require: NodeJS.Require, module: object, file: string, folder: string) => void;

/**
 * TypeScript's compiler, written `import ts from "#typescript"`: 9 MB of JavaScript, loaded with what V8 compiled another
 * time. That takes a third of `require`, and a ninth of `import`, which also looks through all of it for names.
 */
function load(): object {
  const cache = cacheFile();
  const cachedData = contents(cache);
  const bytes = readFileSync(file);
  const text = bytes.toString(isAscii(bytes) ? "latin1" : "utf8"); // nothing to decode: 10 ms less
  const source = `(function (exports, require, module, __filename, __dirname) {${text}\n})`;
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  const module = { exports: {} };
  (script.runInThisContext() as Body)(module.exports, require, module, file, dirname(file));
  const isKept = cachedData !== undefined && script.cachedDataRejected === false;
  if (!isKept) setTimeout(() => keep(script, cache), KEEP_AFTER_MS).unref();
  return module.exports;
}

/** Beside the built kernel; V8 itself checks that its version and flags fit. */
function cacheFile(): string {
  const { size, mtimeMs } = statSync(file);
  const name = `typescript-${size}-${Math.round(mtimeMs)}-${process.versions.v8}-${process.arch}.bin`;
  return fileURLToPath(new URL(`../cache/${name}`, import.meta.url));
}

function contents(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined; // not kept yet
  }
}

function keep(script: Script, path: string): void {
  const own = `${path}.${process.pid}.${threadId}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(own, script.createCachedData());
    renameSync(own, path);
  } catch {
    // A folder that cannot be written: the compiler loads more slowly, and works.
  }
}

export default load();
