import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dataFolder, KERNEL_MAIN, KERNEL_NAME, specFolder } from "./install.js";

const NODE_NEEDED = [20, 20] as const;
const LAB_NEEDED = 4;
const EXTENSION = "@nibble-lab/lab-extension";
/** The environment that `npm start` makes beside the sources. */
const OWN_ENVIRONMENT = fileURLToPath(new URL("../../.venv/", import.meta.url));
const PATIENCE_MS = 60_000;

interface Finding {
  readonly state: "ok" | "note" | "wrong";
  readonly says: string;
  /** What to do about it. */
  readonly advice?: string;
}
type Check = () => Promise<Finding> | Finding;

const ok = (says: string): Finding => ({ state: "ok", says });
const note = (says: string, advice: string): Finding => ({ state: "note", says, advice });
const wrong = (says: string, advice: string): Finding => ({ state: "wrong", says, advice });

/**
 * Looks at everything that a notebook needs and prints what it finds.
 * @param prefix whose Jupyter is looked at; without it that of the active environment, of PATH, or our own
 * @returns the exit code: 1 where something is wrong
 */
export async function doctor(prefix?: string): Promise<number> {
  const jupyter = findJupyter(prefix);
  const checks: Readonly<Record<string, Check>> = {
    Node: checkNode,
    engine: checkEngine,
    GPU: checkGpu,
    compiler: checkCompiler,
    sockets: checkSockets,
    JupyterLab: () => checkLab(jupyter),
    kernelspec: () => checkSpec(jupyter, prefix),
    extension: () => checkExtension(jupyter),
  };
  const signs = { ok: "✓", note: "–", wrong: "✗" };
  let failed = 0;
  const findings = Object.entries(checks).map(async ([name, check]) => [name, await check()] as const);
  for (const finding of findings) {
    const [name, { state, says, advice }] = await finding;
    if (state === "wrong") failed += 1;
    process.stdout.write(`${signs[state]} ${name.padEnd(10)}  ${says}\n`);
    if (advice !== undefined) process.stdout.write(`  ${" ".repeat(10)}  → ${advice}\n`);
  }
  process.stdout.write(failed === 0 ? "\nAll that a notebook needs is there.\n" : `\n${failed} to mend.\n`);
  return failed === 0 ? 0 : 1;
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isEnough = major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1]);
  const says = `${process.version} at ${process.execPath}`;
  return isEnough ? ok(says) : wrong(says, `Install Node ${NODE_NEEDED.join(".")} or newer from nodejs.org.`);
}

/** In a process of its own: an engine that crashes must not end the look-around. */
async function checkEngine(): Promise<Finding> {
  const { status, output } = await inNode(
    `import("@nibble-lab/native").then((engine) => console.log(JSON.stringify(engine.engineInfo())))`,
  );
  if (status !== 0) return wrong(lastLine(output), "Build it: `npm run build` in the project's folder; it needs Rust.");
  const info = JSON.parse(output) as Record<string, unknown>;
  return ok(
    Object.entries(info)
      .map(([name, value]) => `${name} ${String(value)}`)
      .join(", "),
  );
}

async function checkGpu(): Promise<Finding> {
  const { status, output } = await inNode(
    `import("@nibble-lab/native").then((engine) => console.log(JSON.stringify(engine.devices())))`,
  );
  if (status !== 0) return note("not asked, for want of the engine", "See engine.");
  const devices = JSON.parse(output) as { name: string; kind: string; description: string; software: boolean }[];
  const gpus = devices.filter(({ kind }) => kind === "gpu");
  const names = gpus.map((one) => `${one.name}: ${one.description}${one.software ? " (emulated: slow)" : ""}`);
  if (gpus.some(({ software }) => !software)) return ok(names.join(", "));
  if (gpus.length > 0)
    return note(names.join(", "), "A driver of a real GPU would be faster; `auto` takes the processor.");
  return note("none found: everything runs on the processor", "A Vulkan, Metal or Direct3D 12 driver brings one in.");
}

async function checkCompiler(): Promise<Finding> {
  try {
    const { rewriteCell } = await import("./session/rewrite.js");
    const { version } = createRequire(import.meta.url)("typescript6/package.json") as { version: string };
    rewriteCell("const one: number = 1; one", new Set(), new Set());
    return ok(`TypeScript ${version}`);
  } catch (error) {
    return wrong(String(error), "Install the packages again: `npm ci` in the project's folder.");
  }
}

async function checkSockets(): Promise<Finding> {
  const { status, output } = await inNode(`import("zeromq").then(({ version }) => console.log(version))`);
  if (status === 0) return ok(`ZeroMQ ${output.trim()}`);
  return wrong(lastLine(output), "Install the packages again: `npm ci` in the project's folder.");
}

async function checkLab(jupyter: string | null): Promise<Finding> {
  const advice = `Install it: \`pip install "jupyterlab>=${LAB_NEEDED}"\`, or use ours: \`npm start\`.`;
  if (jupyter === null) return wrong("no `jupyter` was found", advice);
  const { status, output } = await run(jupyter, ["lab", "--version"]);
  const version = lastLine(output);
  if (status !== 0) return wrong(`${jupyter} has none`, advice);
  if (Number(version.split(".")[0]) < LAB_NEEDED) return wrong(`${version} at ${jupyter}`, advice);
  return ok(`${version} at ${jupyter}`);
}

async function checkSpec(jupyter: string | null, prefix: string | undefined): Promise<Finding> {
  const folder = (await specOf(jupyter)) ?? specFolder(dataFolder(prefix));
  const file = join(folder, "kernel.json");
  const where = prefix === undefined ? "" : ` --prefix ${JSON.stringify(prefix)}`;
  const advice = `Write it: \`npx nibble-lab install${where}\`.`;
  if (!existsSync(file)) return wrong("Jupyter does not know the kernel", advice);
  const { argv } = JSON.parse(readFileSync(file, "utf8")) as { argv: string[] };
  const missing = argv.slice(0, 2).find((path) => !existsSync(path));
  if (missing !== undefined) return wrong(`${file} starts ${missing}, which is not there`, advice);
  if (argv[1] !== KERNEL_MAIN) return note(`${file} starts another copy: ${argv[1]}`, `To start this one: ${advice}`);
  return ok(folder);
}

/** Where Jupyter itself finds the kernel. */
async function specOf(jupyter: string | null): Promise<string | null> {
  if (jupyter === null) return null;
  const { status, output } = await run(jupyter, ["kernelspec", "list", "--json"]);
  if (status !== 0) return null;
  const specs = JSON.parse(output.slice(output.indexOf("{"))) as {
    kernelspecs: Record<string, { resource_dir: string }>;
  };
  return specs.kernelspecs[KERNEL_NAME]?.resource_dir ?? null;
}

async function checkExtension(jupyter: string | null): Promise<Finding> {
  const advice =
    "For the panels: `node lab-extension/install.mjs --prefix DIR`, DIR being the environment. Cells work without.";
  if (jupyter === null) return note("not asked, for want of Jupyter", "See JupyterLab.");
  const { output } = await run(jupyter, ["labextension", "list"]);
  const line = output
    .split("\n")
    .find((one) => one.includes(EXTENSION))
    ?.replace(/\u001b\[[0-9;]*m/g, "");
  if (line === undefined) return note("not installed", advice);
  if (/disabled/.test(line)) return note(line.trim(), `Enable it: \`jupyter labextension enable ${EXTENSION}\`.`);
  return /OK/.test(line) ? ok(line.trim()) : wrong(line.trim(), advice);
}

function findJupyter(prefix: string | undefined): string | null {
  const bin = process.platform === "win32" ? "Scripts" : "bin";
  const name = process.platform === "win32" ? "jupyter.exe" : "jupyter";
  const active = process.env["VIRTUAL_ENV"] ?? process.env["CONDA_PREFIX"];
  const folders =
    prefix !== undefined
      ? [join(prefix, bin)]
      : [
          ...(active === undefined ? [] : [join(active, bin)]),
          ...(process.env["PATH"] ?? "").split(delimiter),
          join(OWN_ENVIRONMENT, bin),
        ];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

interface Ended {
  readonly status: number;
  /** Both streams; for a program that ended well, stdout alone where it wrote any. */
  readonly output: string;
}

function inNode(program: string): Promise<Ended> {
  return run(process.execPath, ["--input-type=module", "-e", program], fileURLToPath(new URL("..", import.meta.url)));
}

function run(command: string, args: readonly string[], cwd?: string): Promise<Ended> {
  return new Promise((done) => {
    const options = { timeout: PATIENCE_MS, encoding: "utf8", ...(cwd === undefined ? {} : { cwd }) } as const;
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) done({ status: 0, output: stdout.trim() === "" ? stderr : stdout });
      else done({ status: typeof error.code === "number" ? error.code : 1, output: `${stdout}\n${stderr}` });
    });
  });
}

/** What a program said last that is no frame of a stack. */
function lastLine(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "" && !/^\s+at |^Node\.js v|^\s*[{}]/.test(line));
  return (lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? "it ended without a word").trim();
}
