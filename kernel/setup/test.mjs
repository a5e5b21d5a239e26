/** `npm test`: sets up, then every test that this machine can run. Arguments narrow it to the matching TypeScript tests. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, script } from "./run.mjs";
import { python, setUp } from "./setup.mjs";

/** Runs with output shown and kept; resolves whatever the exit code. */
function runShown(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
  }
  return new Promise((done) => child.on("close", (code) => done({ code, output })));
}

/** Counts of every `test result:` line; a build that fails counts as one failure. */
async function engineTests() {
  const { code, output } = await runShown("cargo", [
    "test",
    "--manifest-path",
    "native/Cargo.toml",
    "--workspace",
    "--locked",
    "--quiet",
  ]);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of output.matchAll(
    /test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/g,
  )) {
    counts.passed += Number(passed);
    counts.failed += Number(failed);
    counts.skipped += Number(ignored);
  }
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function typescriptTests(filters) {
  const report = join(mkdtempSync(join(tmpdir(), "nibble-lab-test-")), "report.json");
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile=${report}`,
    ...filters,
  ];
  const { code } = await runShown("node", args);
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests: passed, numFailedTests, numPendingTests: skipped } = JSON.parse(readFileSync(report, "utf8"));
  return { passed, failed: code !== 0 && numFailedTests === 0 ? 1 : numFailedTests, skipped };
}

/** Jupyter's own suite for kernels. */
async function conformanceTests() {
  const suite = ["-m", "unittest", "discover", "-v", "test/kernel/jupyter-kernel-test"];
  const { code, output } = await runShown(python, suite);
  const count = (pattern) => Number(pattern.exec(output)?.[1] ?? 0);
  const skipped = count(/skipped=(\d+)/);
  const failed = count(/failures=(\d+)/) + count(/errors=(\d+)/) || (code === 0 ? 0 : 1);
  return { passed: Math.max(0, count(/Ran (\d+) tests?/) - failed - skipped), failed, skipped };
}

await script(async (filters) => {
  await setUp({ forTests: true });
  const parts = [await typescriptTests(filters)];
  if (filters.length === 0) parts.push(await conformanceTests(), await engineTests());
  const total = (key) => parts.reduce((sum, part) => sum + part[key], 0);
  const skipped = total("skipped") > 0 ? `, ${total("skipped")} skipped` : "";
  console.log(`\n${total("passed")} passed, ${total("failed")} failed${skipped}`);
  return total("failed") > 0 || total("passed") === 0 ? 1 : 0;
});
