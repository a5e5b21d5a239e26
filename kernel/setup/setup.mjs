/**
 * Brings a checkout from nothing to ready: npm packages, the engine, Python with JupyterLab, TypeScript, the extension and
 * the kernelspec. A step whose inputs are unchanged since it last succeeded is skipped; independent steps run side by side.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";
import { prepareSystem } from "./system.mjs";

export const python = join(root, ".venv", "bin", "python");
const jupyterPrefix = join(root, ".venv");
const IGNORED = new Set(["node_modules", "target", "lib", ".venv", "labextension", "__pycache__"]);
const addon = () => readdirSync(join(root, "native")).some((file) => file.endsWith(".node"));

/** `inputs`: files and folders whose bytes decide whether the step runs again. `product`: must exist. */
const steps = {
  packages: {
    says: "npm packages from the lockfile",
    after: [],
    inputs: ["package-lock.json"],
    product: () => existsSync(join(root, "node_modules", "typescript")),
    run: () =>
      run("npm", ["ci", "--no-audit", "--no-fund"], { quiet: true, env: { PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: "1" } }),
  },
  engine: {
    says: "the engine (Rust)",
    after: [],
    inputs: [
      "native/Cargo.toml",
      "native/Cargo.lock",
      "native/engine",
      "native/linalg",
      "native/binding",
      "native/build.mjs",
    ],
    product: addon,
    run: () => run("node", ["native/build.mjs"]),
  },
  python: {
    says: "a Python environment with JupyterLab in .venv",
    after: [],
    inputs: ["kernel/setup/requirements.txt", "kernel/setup/lab-settings.json"],
    product: () => existsSync(python),
    run: async () => {
      await run("python3", ["-m", "venv", ".venv"], { quiet: true });
      await run(python, [
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-r",
        "kernel/setup/requirements.txt",
      ]);
    },
  },
  typescript: {
    says: "TypeScript",
    after: ["packages"],
    inputs: ["tsconfig.json", "tsconfig.base.json", "native/lib", "native/index.d.ts", "kernel", "lab-extension/src"],
    product: () => existsSync(join(root, "kernel", "lib", "main.js")),
    run: () => run("node", ["node_modules/typescript/bin/tsc", "-b"]),
  },
  extension: {
    says: "the JupyterLab extension",
    after: ["typescript", "python"],
    inputs: ["lab-extension", "kernel/messages/src"],
    product: () =>
      existsSync(join(jupyterPrefix, "share/jupyter/labextensions/@nibble-lab/lab-extension/package.json")),
    run: () => run("node", ["lab-extension/install.mjs", "--prefix", jupyterPrefix], { quiet: true }),
  },
  kernelspec: {
    says: "the kernelspec",
    after: ["typescript", "python"],
    inputs: ["kernel/kernelspec", "kernel/src/install.ts"],
    product: () => existsSync(join(jupyterPrefix, "share/jupyter/kernels/nibble-lab/kernel.json")),
    run: () => run("node", ["kernel/bin/nibble-lab.mjs", "install", "--prefix", jupyterPrefix], { quiet: true }),
  },
};

/** Makes everything ready; with `forTests` also what only the tests need. */
export async function setUp({ forTests = false } = {}) {
  const started = Date.now();
  await prepareSystem({ forTests });
  const running = new Map();
  const ensure = (name) => {
    if (!running.has(name))
      running.set(
        name,
        Promise.all(steps[name].after.map(ensure)).then(() => bring(name)),
      );
    return running.get(name);
  };
  const outcomes = await Promise.allSettled(Object.keys(steps).map(ensure));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  console.log(`set-up: ready (${seconds(started)})`);
}

async function bring(name) {
  const step = steps[name];
  const stampFile = join(root, ".setup", name);
  const stamp = digest(step.inputs);
  if (step.product() && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  const started = Date.now();
  console.log(`set-up: ${step.says} …`);
  await step.run();
  mkdirSync(join(root, ".setup"), { recursive: true });
  writeFileSync(stampFile, stamp);
  console.log(`set-up: ${step.says}: done (${seconds(started)})`);
}

/** The checkout's place counts too: a moved folder's environment and kernelspec hold old paths. */
function digest(inputs) {
  const hash = createHash("sha256").update(root);
  const add = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const entry of readdirSync(path).sort())
        if (!IGNORED.has(entry) || path.endsWith("/native")) add(join(path, entry));
    } else if (!/\.(node|tsbuildinfo|js\.map)$/.test(path)) {
      hash.update(path).update(readFileSync(path));
    }
  };
  for (const input of inputs) add(join(root, input));
  return hash.digest("hex");
}

const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;
