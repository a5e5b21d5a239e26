import type { Category } from "@nibble-lab/messages";
import type { TranslationBundle } from "@jupyterlab/translation";

/** What the panels call each category. */
export function categoryNames(trans: TranslationBundle): Readonly<Record<Category, string>> {
  return {
    weights: trans.__("weights"),
    scales: trans.__("scales"),
    gradients: trans.__("gradients"),
    optimizer: trans.__("optimizer"),
    activations: trans.__("activations"),
    workspace: trans.__("workspace"),
    cache: trans.__("cache"),
  };
}
