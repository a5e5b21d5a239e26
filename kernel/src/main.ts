#!/usr/bin/env node
import { readConnection } from "./jupyter/connection.js";
import { Session } from "./session/session.js";

const PARENT_CHECK_MS = 2000;

const path = process.argv[2];
if (path === undefined) {
  process.stderr.write(
    "[kernel] no connection file was given. Usage: main.js CONNECTION_FILE. Jupyter starts kernels itself.\n",
  );
  process.exit(2);
}
const session = new Session(readConnection(path));
process.on("SIGINT", () => undefined); // interrupts come as messages; a terminal's Ctrl-C is for the front end
// User code does not run here, so nothing of it is lost when one answer fails: the others are worth more.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`A fault of the kernel: ${error instanceof Error ? error.stack : String(error)}\n`);
  });
}
process.on("SIGTERM", () => void session.stop().then(() => process.exit(0)));
// Whoever started the kernel may be killed without a word: nobody could reach it any more.
const parent = process.ppid;
if (process.env["JPY_PARENT_PID"] !== undefined) {
  setInterval(() => {
    if (process.ppid !== parent) void session.stop().then(() => process.exit(0));
  }, PARENT_CHECK_MS).unref();
}
try {
  await session.start();
} catch (error) {
  process.stderr.write(`[kernel] it cannot listen where ${path} says: ${String(error)}\n`);
  process.exit(1);
}
