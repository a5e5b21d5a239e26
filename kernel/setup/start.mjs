/**
 * `npm start`: sets up, then opens JupyterLab on the tour. Further arguments go to JupyterLab.
 * `npm start -- --headless NOTEBOOK [--out FILE]`: executes a notebook without a browser; a failing cell exits non-zero.
 */
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { root, run, script, SetupError } from "./run.mjs";
import { python, setUp } from "./setup.mjs";

/** Takes `name VALUE` out of `args`; null when it is not there. */
function take(args, name) {
  const at = args.indexOf(name);
  if (at < 0) return null;
  const [, value] = args.splice(at, 2);
  if (!value || value.startsWith("--"))
    throw new SetupError(`${name} needs a file. Usage: npm start -- --headless NOTEBOOK [--out FILE]`);
  return resolve(process.env.INIT_CWD ?? process.cwd(), value);
}

await script(async (args) => {
  const headless = take(args, "--headless");
  const out = take(args, "--out");
  if (out && !headless) throw new SetupError("--out goes with --headless NOTEBOOK.");
  await setUp();
  if (headless) return run(python, [join(root, "kernel/setup/execute.py"), headless, ...(out ? [out] : [])]);
  const asRoot = process.getuid?.() === 0 ? ["--allow-root"] : [];
  const lab = [
    "-m",
    "jupyterlab",
    `--ServerApp.root_dir=${join(root, "notebooks")}`,
    "--LabApp.default_url=/lab/tree/00-tour.ipynb",
    ...asRoot,
    ...args,
  ];
  const child = spawn(python, lab, { cwd: root, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  return new Promise((done) => child.on("exit", (code) => done(code ?? 0)));
});
