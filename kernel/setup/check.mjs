/** `npm run check`: formatting, lint, types, layering, the engine's lints. Changes nothing. */
import { run, script } from "./run.mjs";
import { setUp } from "./setup.mjs";

const checks = [
  ["node", ["node_modules/prettier/bin/prettier.cjs", "--check", "--log-level", "warn", "."]],
  ["node", ["node_modules/typescript/bin/tsc", "-b"]],
  ["node", ["node_modules/typescript/bin/tsc", "-p", "test/tsconfig.json", "--noEmit"]],
  ["node", ["node_modules/typescript/bin/tsc", "-p", "test/lab/tsconfig.json", "--noEmit"]],
  [
    "node",
    ["node_modules/eslint/bin/eslint.js", "--max-warnings", "0", "native/lib", "kernel", "lab-extension/src", "test"],
  ],
  [
    "node",
    [
      "node_modules/dependency-cruiser/bin/dependency-cruise.mjs",
      "native/lib",
      "kernel",
      "lab-extension/src",
      "--log-level",
      "error",
    ],
  ],
  ["cargo", ["fmt", "--manifest-path", "native/Cargo.toml", "--all", "--check"]],
  [
    "cargo",
    [
      "clippy",
      "--manifest-path",
      "native/Cargo.toml",
      "--workspace",
      "--all-targets",
      "--locked",
      "--quiet",
      "--",
      "-D",
      "warnings",
    ],
  ],
];

await script(async () => {
  await setUp();
  for (const [command, args] of checks) {
    console.log(`check: ${[command, ...args.slice(0, 4)].join(" ")} …`);
    await run(command, args);
  }
});
