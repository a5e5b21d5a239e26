#!/usr/bin/env node
import { existsSync } from "node:fs";

const command = new URL("../lib/command.js", import.meta.url);
if (!existsSync(command)) {
  process.stderr.write("[nibble-lab] it is not built. Run `npm run build` in its folder first.\n");
  process.exit(2);
}
const { main } = await import(command.href);
process.exitCode = await main(process.argv.slice(2));
