import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What a process prints last, which is JSON. NumPy's and PyTorch's BLAS choose their own kernels. */
export function lastLine(command: string, args: readonly string[]): unknown {
  const env = { ...process.env };
  delete env.OPENBLAS_CORETYPE;
  delete env.OPENBLAS_L2_SIZE;
  const cwd = fileURLToPath(new URL("../../../..", import.meta.url));
  const output = execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(output.trim().split("\n").at(-1)!);
}
