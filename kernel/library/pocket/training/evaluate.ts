/**
 * Prints what a model can do in the pocket world, with intervals, chance and majority line, a linear probe of truth, and the
 * perplexity of test text:
 *
 *     node kernel/library/pocket/training/lib/evaluate.js [MODEL] [--bits 8,4,3,2] [--items N] [--edition 1|2] [--wording unseen|trained]
 *         [--tasks honest,deceptive,…] [--json FILE]
 *
 * MODEL is a name or a folder, by default the shipped model. `--bits` adds a table for each width, rounded to nearest per channel.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  abilities,
  data,
  loadModel,
  perplexity,
  quantize,
  truthProbe,
  type Abilities,
  type AbilitiesOptions,
  type LanguageModel,
} from "nibble-lab";
import type { TaskName } from "nibble-lab/data";
import { plainText } from "./stages.js";

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
const pocket = values.edition === "2" ? data.pocket2 : data.pocket;
const options: AbilitiesOptions = {
  pocket,
  items: Number(values.items),
  wording: values.wording as "unseen" | "trained",
  ...(values.tasks !== undefined && { tasks: values.tasks.split(",") as TaskName[] }),
};

/** In edition 2 only what has a loss in training: prompts have none. */
const test = pocket.text("test", pocket.edition === 1 ? {} : { shares: plainText });

const tables: Abilities[] = [];
using model = await loadModel(positionals[0] ?? "pocket");
await report(model);
for (const bits of values.bits.split(",").filter((each) => each !== "")) {
  using small = await quantize(model, { method: "rtn", bits: Number(bits) as 2 });
  await report(small);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(tables, null, 2)}\n`);

async function report(measured: LanguageModel): Promise<void> {
  const table = await abilities(measured, options);
  tables.push(table);
  console.log(table.toString());
  for (const prompts of ["verdict", "honest", "deceptive"] as const) {
    const { layer, value, low, high } = await truthProbe(measured, { pocket, prompts });
    const interval = `${low.toFixed(2)}–${high.toFixed(2)}`;
    console.log(
      `linear probe of truth, layer ${layer}, ${prompts} prompts: ${value.toFixed(3)} (${interval}), chance 0.50`,
    );
  }
  console.log(`${String(await perplexity(measured, test))}\n`);
}
