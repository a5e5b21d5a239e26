import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { doctor } from "./doctor.js";
import { dataFolder, install, KERNEL_NAME, uninstall } from "./install.js";

const USAGE = `nibble-lab COMMAND [where]

  install     writes the kernelspec, so that Jupyter offers TypeScript (Nibble Lab)
  uninstall   takes it away
  doctor      checks Node, the engine, the compiler, Jupyter, the extension and the GPU, and says what to do

where (install, uninstall):
  --user         for you, in every Jupyter of yours (default)
  --sys-prefix   in the Python environment that is active
  --prefix DIR   in the environment or installation at DIR; for doctor too: whose Jupyter is looked at
`;

interface Where {
  readonly user?: boolean | undefined;
  readonly "sys-prefix"?: boolean | undefined;
  readonly prefix?: string | undefined;
}

class UsageError extends Error {}

/** Runs one command of `nibble-lab`; the result is the exit code: 0 fine, 1 something is wrong, 2 it was not understood. */
export async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        user: { type: "boolean" },
        "sys-prefix": { type: "boolean" },
        prefix: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    const [command, ...more] = positionals;
    if (values.help || command === "help") return say(USAGE);
    if (more.length > 0) throw new UsageError(`too many words: ${positionals.join(" ")}.`);
    switch (command) {
      case "install":
        return say(`Kernel "${KERNEL_NAME}" written to ${install(target(values))}\n`);
      case "uninstall":
        return removed(uninstall(target(values)), target(values));
      case "doctor":
        return await doctor(values.prefix);
      default:
        throw new UsageError(command === undefined ? "no command was given." : `"${command}" is no command.`);
    }
  } catch (error) {
    if (!isUsage(error)) throw error;
    process.stderr.write(`[nibble-lab] ${error.message}\n\n${USAGE}`);
    return 2;
  }
}

function target({ user, "sys-prefix": sysPrefix, prefix }: Where): string {
  const given = [user, sysPrefix, prefix !== undefined].filter(Boolean);
  if (given.length > 1) throw new UsageError("--user, --sys-prefix and --prefix exclude each other.");
  if (sysPrefix) return dataFolder(pythonPrefix());
  return dataFolder(prefix);
}

/** `sys.prefix` of the Python that is active. */
function pythonPrefix(): string {
  for (const python of ["python3", "python"]) {
    try {
      return execFileSync(python, ["-c", "import sys; print(sys.prefix)"], { encoding: "utf8" }).trim();
    } catch {
      continue; // perhaps under the other name
    }
  }
  throw new UsageError("--sys-prefix needs Python, and neither python3 nor python runs. Use --user or --prefix DIR.");
}

function removed(folder: string | null, data: string): number {
  if (folder !== null) return say(`Kernel "${KERNEL_NAME}" removed from ${folder}\n`);
  process.stderr.write(
    `[nibble-lab] there is no kernel "${KERNEL_NAME}" in ${data}. Is it installed elsewhere? Ask doctor.\n`,
  );
  return 1;
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

function isUsage(error: unknown): error is Error {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return error instanceof UsageError || (error instanceof Error && code.startsWith("ERR_PARSE_ARGS_"));
}
