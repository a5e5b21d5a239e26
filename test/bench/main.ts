/** `npm run bench -- [NAME] [--peers PYTHON] [--json FILE]` */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { devices } from "nibble-lab";
import { table, type Row } from "./report.js";
import { gemm } from "./gemm.js";
import { kernel } from "./kernel.js";
import { ops } from "./ops.js";
import { quantize } from "./quantize.js";
import { training } from "./training.js";

/** A bench measures its cases; `python` is an interpreter that has the peers, when one was given. */
export type Bench = (python: string | null) => Promise<Row[]>;

const benches: Readonly<Record<string, Bench>> = { gemm, kernel, ops, quantize, training };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { peers: { type: "string" }, json: { type: "string" } },
});
const chosen = positionals.length > 0 ? positionals : Object.keys(benches);
for (const name of chosen) {
  if (!(name in benches))
    throw new Error(`[bench] there is no bench "${name}". There are: ${Object.keys(benches).join(", ")}.`);
}
console.log(
  devices()
    .map((device) => `${device.name}: ${device.description}`)
    .join("\n") + "\n",
);
const rows: Row[] = [];
for (const name of chosen) rows.push(...(await benches[name]!(values.peers ?? null)));
console.log(table(rows));
if (values.json) writeFileSync(values.json, JSON.stringify(rows, null, 2));
