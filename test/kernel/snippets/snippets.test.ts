import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client } from "../client.js";
import { notebookFolder } from "./folder.js";
import type { Snippet } from "./snippet.js";
import { groups } from "./table.js";

/** One notebook: names of one snippet are declared again by others, and types are checked before each cell runs. */
let client: Client;
const folder = notebookFolder();
beforeAll(async () => {
  client = await Client.typed({ cwd: folder });
});
afterAll(async () => {
  await client.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function lastValue({ cells, untyped }: Snippet): Promise<string> {
  if (untyped) await client.execute("%types off");
  let text = "";
  for (const cell of cells) text = await client.value(cell);
  if (untyped) await client.execute("%types error");
  return text;
}

async function inspected(code: string): Promise<string> {
  const question = { code, cursor_pos: [...code].length, detail_level: 0 };
  const { content } = await client.request("shell", "inspect_request", question);
  return ((content["data"] as Record<string, string>)["text/plain"] ?? "").replace(/\s+/g, " ");
}

async function completed(code: string): Promise<string[]> {
  const { content } = await client.request("shell", "complete_request", { code, cursor_pos: [...code].length });
  return content["matches"] as string[];
}

describe.each(Object.entries(groups))("snippets: %s", (_, table) => {
  it.each(table.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
    expect(await lastValue(one)).toBe(one.value);
    if (one.type !== undefined) expect(await inspected(one.type[0])).toBe(one.type[1]);
    if (one.completion !== undefined) expect(await completed(one.completion[0])).toEqual(one.completion[1]);
  });
});
