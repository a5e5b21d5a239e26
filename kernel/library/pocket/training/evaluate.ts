/**
 * Prints what a model can do in the pocket world, with intervals, chance and majority line:
 *
 *     node kernel/library/pocket/training/lib/evaluate.js [MODEL] [--bits 8,4,3,2] [--items N] [--edition 1|2] [--wording unseen|trained]
 *         [--tasks honest,deceptive,…] [--json FILE]
 *
 * MODEL is a name or a folder, by default the shipped model. `--bits` adds a table for each width, rounded to nearest per channel.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { abilities, data, loadModel, quantize, type Abilities, type AbilitiesOptions } from "nibble-lab";
import type { TaskName } from "nibble-lab/data";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bits: { type: "string", default: "" },
    items: { type: "string", default: "200" },
    edition: { type: "string", default: "1" },
    wording: { type: "string", default: "unseen" },
    tasks: { type: "string" },
    json: { type: "string" },
  },
});
const options: AbilitiesOptions = {
  pocket: values.edition === "2" ? data.pocket2 : data.pocket,
  items: Number(values.items),
  wording: values.wording as "unseen" | "trained",
  ...(values.tasks !== undefined && { tasks: values.tasks.split(",") as TaskName[] }),
};

const tables: Abilities[] = [];
using model = await loadModel(positionals[0] ?? "pocket");
report(await abilities(model, options));
for (const bits of values.bits.split(",").filter((each) => each !== "")) {
  using small = await quantize(model, { method: "rtn", bits: Number(bits) as 2 });
  report(await abilities(small, options));
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(tables, null, 2)}\n`);

function report(table: Abilities): void {
  tables.push(table);
  console.log(`${table.toString()}\n`);
}
