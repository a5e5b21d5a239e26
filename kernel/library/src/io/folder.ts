import { renameSync } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OptionError } from "../errors.js";

let written = 0;

/**
 * Writes a folder so that it is there whole or not at all: `write` fills a temporary one beside it, which is then renamed. Into a
 * folder that exists the files are renamed one after another without a pause; other files in it stay.
 *
 * @throws {OptionError} if the folder exists and is not empty, unless `overwrite`
 */
export async function writeFolder(
  op: string,
  folder: string,
  overwrite: boolean,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const present = await entries(folder);
  if (!overwrite && present !== null && present.length > 0) {
    const text = `${folder} exists and holds ${present.length} files. Choose another folder, or give { overwrite: true }.`;
    throw new OptionError(op, text, { folder });
  }
  await mkdir(dirname(folder), { recursive: true });
  const temporary = `${folder.replace(/\/+$/, "")}.${process.pid}-${++written}.part`;
  await mkdir(temporary);
  try {
    await write(temporary);
    // On the disk before their names are, so that a power cut leaves no file half.
    for (const file of await readdir(temporary)) await flush(join(temporary, file));
    if (present === null) return await rename(temporary, folder);
    // Without an await in between, so that no interrupt leaves some files new and some old.
    for (const file of await readdir(temporary)) renameSync(join(temporary, file), join(folder, file));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function entries(folder: string): Promise<string[] | null> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
}
