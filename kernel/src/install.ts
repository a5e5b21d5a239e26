#!/usr/bin/env node
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const NAME = "nibble-lab";
const TEMPLATE = fileURLToPath(new URL("../kernelspec/", import.meta.url));
const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

/** Where Jupyter looks for kernels of one user. */
function userFolder(): string {
  if (process.env["JUPYTER_DATA_DIR"] !== undefined) return process.env["JUPYTER_DATA_DIR"];
  if (process.platform === "darwin") return join(homedir(), "Library", "Jupyter");
  if (process.platform === "win32") return join(process.env["APPDATA"] ?? homedir(), "jupyter");
  return join(process.env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"), "jupyter");
}

/**
 * Writes the kernelspec: `kernel.json` that starts this copy of the kernel with this Node, and the logos.
 *
 * @param prefix a Python environment or installation prefix (`<prefix>/share/jupyter/kernels`); without it, the user's own folder
 * @returns the folder that was written
 */
export function install(prefix?: string): string {
  const data = prefix === undefined ? userFolder() : join(prefix, "share", "jupyter");
  const target = join(data, "kernels", NAME);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const logo of ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"])
    cpSync(join(TEMPLATE, logo), join(target, logo));
  const spec = JSON.parse(readFileSync(join(TEMPLATE, "kernel.json"), "utf8")) as { argv: string[] };
  const words: Readonly<Record<string, string>> = { "{node}": process.execPath, "{main}": MAIN };
  spec.argv = spec.argv.map((word) => words[word] ?? word);
  writeFileSync(join(target, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  return target;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { prefix: { type: "string" } } });
  process.stdout.write(`Kernel "${NAME}" written to ${install(values.prefix)}\n`);
}
