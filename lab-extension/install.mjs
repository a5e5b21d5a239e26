// node lab-extension/install.mjs [--prefix DIR]
// Bundles lib/ into nibble_lab/labextension with Rspack; with --prefix, puts it where that environment's JupyterLab looks.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

const here = import.meta.dirname;
const { values } = parseArgs({ options: { prefix: { type: "string" } } });
const { name, jupyterlab } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const bundle = join(here, jupyterlab.outputDir);

function build() {
  if (!existsSync(join(here, "lib/index.js"))) {
    console.error("[lab-extension] lib/index.js is missing. Run `npx tsc -b lab-extension` first.");
    process.exit(1);
  }
  const require = createRequire(import.meta.url);
  const builder = join(dirname(require.resolve("@jupyter/builder/package.json")), "lib/build-labextension.js");
  const core = join(dirname(require.resolve("@jupyterlab/core-meta/package.json")), "core.package.json");
  rmSync(bundle, { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, [builder, "--core-package-file", core, here], {
    cwd: here,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

function install(prefix) {
  const target = join(resolve(prefix), "share/jupyter/labextensions", name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  cpSync(bundle, target, { recursive: true });
  cpSync(join(here, "install.json"), join(target, "install.json"));
  console.log(`[lab-extension] installed in ${target}`);
}

build();
if (values.prefix) install(values.prefix);
