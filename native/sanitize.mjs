/**
 * `npm run sanitize [-- address|thread] [FILTER]`: the engine's tests, without the GPU, under a sanitizer; both unless one
 * is named. Stable Rust refuses `-Zsanitizer` unless RUSTC_BOOTSTRAP is set; the standard library comes precompiled and is
 * not instrumented (see docs/numerics.md). Each sanitizer has a target folder of its own, so builds take minutes once.
 */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const native = dirname(fileURLToPath(import.meta.url));
const SANITIZERS = {
  address: { flags: "-Zsanitizer=address", env: { ASAN_OPTIONS: "detect_leaks=1" } },
  thread: {
    flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
    env: {},
  },
};

const host = /host: (\S+)/.exec(spawnSync("rustc", ["-vV"], { encoding: "utf8" }).stdout)?.[1];
if (host === undefined) fail("rustc could not be started. Install Rust 1.89 or newer (https://rustup.rs).");
const [first, ...rest] = process.argv.slice(2);
const chosen = first in SANITIZERS ? [first] : Object.keys(SANITIZERS);
const filters = first in SANITIZERS || first === undefined ? rest : [first, ...rest];

for (const name of chosen) {
  const { flags, env } = SANITIZERS[name];
  console.log(`sanitize: ${name}`);
  const target = join(native, "target", `sanitize-${name}`);
  // With --target, build scripts and macros are left as they are: only what is tested is instrumented.
  const args = ["test", "--locked", "--package", "nibble-engine", "--no-default-features", "--features", "reference"];
  const child = spawnSync("cargo", [...args, "--target", host, "--target-dir", target, "--quiet", "--", ...filters], {
    cwd: native,
    stdio: "inherit",
    env: { ...process.env, ...env, RUSTC_BOOTSTRAP: "1", RUSTFLAGS: `${process.env.RUSTFLAGS ?? ""} ${flags}`.trim() },
  });
  if (child.status !== 0) fail(`The tests fail under the ${name} sanitizer.`);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
