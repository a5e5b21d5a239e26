import { asynchronous } from "./asynchronous.js";
import { bindings } from "./bindings.js";
import { classes } from "./classes.js";
import { functions } from "./functions.js";
import { modules } from "./modules.js";
import type { Snippet } from "./snippet.js";
import { types } from "./types.js";
import { values } from "./values.js";

export const groups: Readonly<Record<string, readonly Snippet[]>> = {
  values,
  bindings,
  functions,
  classes,
  types,
  asynchronous,
  modules,
};
