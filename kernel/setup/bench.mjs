/** `npm run bench -- [NAME] [--peers PYTHON] [--json FILE]`: sets up, builds test/bench and runs it. */
import { run, script } from "./run.mjs";
import { setUp } from "./setup.mjs";

await script(async (args) => {
  await setUp();
  await run("node", ["node_modules/typescript/bin/tsc", "-p", "test/bench"]);
  await run("node", ["test/bench/lib/bench/main.js", ...args]);
});
