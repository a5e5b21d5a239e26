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
process.on("SIGTERM", () => void session.stop().then(() => process.exit(0)));
// Whoever started the kernel may be killed without a word: nobody could reach it any more.
const parent = process.ppid;
if (process.env["JPY_PARENT_PID"] !== undefined) {
  setInterval(() => {
    if (process.ppid !== parent) void session.stop().then(() => process.exit(0));
  }, PARENT_CHECK_MS).unref();
}
await session.start();
