import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { userData } from "./jupyter/folders.js";

export const KERNEL_NAME = "nibble-lab";
/** The program that Jupyter starts. */
export const KERNEL_MAIN = fileURLToPath(new URL("./main.js", import.meta.url));
const TEMPLATE = fileURLToPath(new URL("../kernelspec/", import.meta.url));
const LOGOS = ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"];

/** Where Jupyter looks for kernels: `<prefix>/share/jupyter`, or the user's own folder. */
export function dataFolder(prefix?: string): string {
  return prefix === undefined ? userData() : join(resolve(prefix), "share", "jupyter");
}

/**
 * Writes the kernelspec: `kernel.json` that starts this copy of the kernel with this Node, and the logos.
 * @returns the folder that was written
 */
export function install(data: string): string {
  const target = specFolder(data);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const logo of LOGOS) cpSync(join(TEMPLATE, logo), join(target, logo));
  const spec = JSON.parse(readFileSync(join(TEMPLATE, "kernel.json"), "utf8")) as { argv: string[] };
  const words: Readonly<Record<string, string>> = { "{node}": process.execPath, "{main}": KERNEL_MAIN };
  spec.argv = spec.argv.map((word) => words[word] ?? word);
  writeFileSync(join(target, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  return target;
}

/** @returns the folder that was removed; null where there was none */
export function uninstall(data: string): string | null {
  const target = specFolder(data);
  if (!existsSync(target)) return null;
  rmSync(target, { recursive: true });
  return target;
}

export function specFolder(data: string): string {
  return join(data, "kernels", KERNEL_NAME);
}
