import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { SafetensorsFile } from "./safetensors.js";
import { FormatError } from "../errors.js";
import { shown } from "../options.js";
import type { Category } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";

export const WEIGHTS = "model.safetensors";
export const INDEX = "model.safetensors.index.json";

/** The tensors of a Hugging Face folder: one safetensors file, or shards with an index. */
export class Checkpoint {
  private constructor(
    readonly folder: string,
    private readonly files: readonly SafetensorsFile[],
    private readonly byName: ReadonlyMap<string, SafetensorsFile>,
  ) {}

  /** @throws {FormatError} if neither weights nor an index is there, or they contradict each other */
  static async open(folder: string): Promise<Checkpoint> {
    const index = join(folder, INDEX);
    if (await exists(index)) return Checkpoint.openShards(folder, index);
    const path = join(folder, WEIGHTS);
    if (!(await exists(path)))
      throw new FormatError("loadModel", `${folder} has neither ${WEIGHTS} nor ${INDEX}. One of them must be there.`, {
        path: folder,
      });
    const file = await SafetensorsFile.open(path);
    return new Checkpoint(folder, [file], new Map([...file.tensors.keys()].map((name) => [name, file])));
  }

  get names(): string[] {
    return [...this.byName.keys()];
  }

  /** A tensor as it is stored, or null where there is none of that name; the caller disposes. */
  async readStored(name: string, category: Category, owner: string): Promise<Tensor | null> {
    return (await this.byName.get(name)?.read(name, category, owner)) ?? null;
  }

  /** One tensor as f32, its shape checked; the caller disposes. */
  async read(name: string, shape: readonly number[], owner: string): Promise<Tensor> {
    const file = this.byName.get(name);
    if (file === undefined)
      throw new FormatError("loadModel", `${this.folder} has no tensor "${name}", which its config.json asks for.`, {
        path: this.folder,
      });
    const entry = file.tensors.get(name)!;
    if (entry.shape.join() !== shape.join()) {
      const text = `${file.path}, byte ${entry.start}: "${name}" is [${entry.shape.join(", ")}]. config.json asks for [${shape.join(", ")}].`;
      throw new FormatError("loadModel", text, { path: file.path, offset: entry.start });
    }
    return file.read(name, "weights", owner);
  }

  async close(): Promise<void> {
    for (const file of this.files) await file.close();
  }

  private static async openShards(folder: string, index: string): Promise<Checkpoint> {
    const map = (await readJson("loadModel", index)).weight_map;
    if (typeof map !== "object" || map === null)
      throw new FormatError("loadModel", `${index}: weight_map is ${shown(map)}. Expected an object.`, { path: index });
    const opened = new Map<string, SafetensorsFile>();
    const byName = new Map<string, SafetensorsFile>();
    try {
      for (const [name, shard] of Object.entries(map)) {
        if (typeof shard !== "string" || shard === "" || basename(shard) !== shard) {
          throw new FormatError(
            "loadModel",
            `${index}: "${name}" is in ${shown(shard)}. Allowed: the name of a file in the same folder.`,
            { path: index },
          );
        }
        let file = opened.get(shard);
        if (file === undefined)
          opened.set(shard, (file = await SafetensorsFile.open(await existing("loadModel", join(folder, shard)))));
        if (!file.tensors.has(name))
          throw new FormatError("loadModel", `${index} puts "${name}" into ${shard}, which does not have it.`, {
            path: index,
          });
        byName.set(name, file);
      }
    } catch (error) {
      for (const file of opened.values()) await file.close();
      throw error;
    }
    return new Checkpoint(folder, [...opened.values()], byName);
  }
}

/** A JSON file that must be an object. @throws {FormatError} if it is missing or not that */
export async function readJson(op: string, path: string): Promise<Record<string, unknown>> {
  const text = await readFile(await existing(op, path), "utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(op, `${path} is not JSON: ${error instanceof Error ? error.message : String(error)}.`, {
      path,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FormatError(op, `${path} is not a JSON object.`, { path });
}

/** The path itself. @throws {FormatError} if there is nothing */
async function existing(op: string, path: string): Promise<string> {
  if (await exists(path)) return path;
  throw new FormatError(op, `The file ${path} is missing.`, { path });
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
