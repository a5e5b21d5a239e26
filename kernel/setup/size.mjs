/** `npm run size`: lines of code by folder, the longest files, the built sizes. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run.mjs";

const SOURCE = /\.(ts|tsx|mjs|rs|wgsl|py|css)$/;
const files = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((file) => SOURCE.test(file) && existsSync(join(root, file)))
  .map((file) => ({ file, lines: readFileSync(join(root, file), "utf8").split("\n").length - 1 }));

const folders = new Map();
for (const { file, lines } of files) {
  const parts = file.split("/");
  const folder = parts.slice(0, Math.min(parts.length - 1, 3)).join("/") || ".";
  folders.set(folder, (folders.get(folder) ?? 0) + lines);
}
const row = (lines, name) => console.log(`${String(lines).padStart(7)}  ${name}`);
console.log("lines by folder");
for (const [folder, lines] of [...folders].sort()) row(lines, folder);
row(
  files.reduce((sum, { lines }) => sum + lines, 0),
  "total",
);
console.log("\nlongest files");
for (const { file, lines } of [...files].sort((a, b) => b.lines - a.lines).slice(0, 10)) row(lines, file);
console.log("\nbytes built");
for (const file of readdirSync(join(root, "native")).filter((name) => name.endsWith(".node"))) {
  row(statSync(join(root, "native", file)).size, `native/${file}`);
}
const chunks = join(root, "lab-extension/nibble_lab/labextension/static");
for (const file of existsSync(chunks) ? readdirSync(chunks) : []) {
  if (file.endsWith(".js")) row(statSync(join(chunks, file)).size, `lab-extension: ${file}`);
}
