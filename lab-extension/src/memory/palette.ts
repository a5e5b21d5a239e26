import { CATEGORIES, type Category } from "@nibble-lab/messages";

/** The colour of each category in the theme in use: defined in style/base.css, told apart by colour-blind eyes too. */
export function categoryColours(node: Element): Record<Category, string> {
  const style = getComputedStyle(node);
  return Object.fromEntries(
    CATEGORIES.map((category) => [category, style.getPropertyValue(`--nl-${category}`).trim()]),
  ) as Record<Category, string>;
}
