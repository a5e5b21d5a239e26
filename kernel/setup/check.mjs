/** `npm run check`: formatting, lint, types, layering, the engine's lints and declarations. Changes nothing. */
import { run, script } from "./run.mjs";
import { setUp } from "./setup.mjs";

const sources = "native/lib kernel lab-extension/src";
const checks = [
  "node node_modules/prettier/bin/prettier.cjs --check --log-level warn .",
  "node node_modules/typescript/bin/tsc -b",
  "node node_modules/typescript/bin/tsc -p test/tsconfig.json --noEmit",
  "node node_modules/typescript/bin/tsc -p test/lab/tsconfig.json --noEmit",
  `node node_modules/eslint/bin/eslint.js --max-warnings 0 ${sources} test`,
  `node node_modules/dependency-cruiser/bin/dependency-cruise.mjs ${sources}`,
  "cargo fmt --manifest-path native/Cargo.toml --all --check",
  "cargo clippy --manifest-path native/Cargo.toml --workspace --all-targets --locked --quiet -- -D warnings",
];

await script(async () => {
  await setUp();
  for (const check of checks) {
    console.log(`check: ${check}`);
    const [command, ...args] = check.split(" ");
    await run(command, args);
  }
});
