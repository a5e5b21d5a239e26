/** Builds the addon: cargo, then the library under the name that lib/index.ts loads. Needs no npm package. */
import { spawnSync } from "node:child_process";
import { copyFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const native = dirname(fileURLToPath(import.meta.url));
const LIBRARY = { linux: "libnibble_binding.so", darwin: "libnibble_binding.dylib", win32: "nibble_binding.dll" };
const library = LIBRARY[process.platform];
if (library === undefined) {
  fail(`The engine builds on ${Object.keys(LIBRARY).join(", ")}, not on ${process.platform}.`);
}

const built = spawnSync("cargo", ["build", "--release", "--locked", "--package", "nibble-binding"], {
  cwd: native,
  stdio: "inherit",
});
if (built.error) {
  fail(
    `cargo could not be started (${built.error.message}). Install Rust 1.89 or newer (https://rustup.rs) and run this again.`,
  );
}
if (built.status !== 0) {
  process.exit(built.status ?? 1);
}

// Renamed into place: a process that has the old addon open keeps it.
const target = process.env.CARGO_TARGET_DIR ?? join(native, "target");
const addon = join(native, "nibble-lab.node");
copyFileSync(join(target, "release", library), `${addon}.new`);
renameSync(`${addon}.new`, addon);

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
