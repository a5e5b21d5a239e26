/** `npm run build`: everything that is not up to date. */
import { script } from "./run.mjs";
import { setUp } from "./setup.mjs";

await script(() => setUp());
