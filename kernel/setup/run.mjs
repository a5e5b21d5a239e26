/** Child processes and the words printed about them. */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A failure that the user can act on: printed without a stack. */
export class SetupError extends Error {}

/** Runs a command in the repository root with its output shown; rejects when it fails. */
export async function run(command, args, { env = {}, cwd = root, quiet = false } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"],
  });
  const output = [];
  child.stdout?.on("data", (chunk) => output.push(chunk));
  child.stderr?.on("data", (chunk) => output.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve(status ?? signal));
  });
  if (code === 0) return;
  if (quiet) process.stderr.write(Buffer.concat(output));
  throw new SetupError(`\`${[command, ...args].join(" ")}\` failed (${code}).`);
}

/** True when the command exists and exits with 0. */
export function succeeds(command, args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** Runs a script's body; a SetupError ends it with its text alone. */
export async function script(body) {
  try {
    process.exitCode = (await body(process.argv.slice(2))) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`\nnibble-lab: ${error.message}`);
    process.exitCode = 1;
  }
}
