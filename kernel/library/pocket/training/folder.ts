import { fileURLToPath } from "node:url";

/** Where the shipped model lives, seen from the built scripts. */
export const MODEL_FOLDER = fileURLToPath(new URL("../../model", import.meta.url));
