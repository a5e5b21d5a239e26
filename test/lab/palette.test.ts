import { readFileSync } from "node:fs";
import { CATEGORIES } from "@nibble-lab/messages";
import { describe, expect, it } from "vitest";

const css = readFileSync(new URL("../../lab-extension/style/base.css", import.meta.url), "utf8");
const [light, dark] = [css.indexOf(":root {"), css.indexOf('[data-jp-theme-light="false"] {')].map((start) =>
  css.slice(start, css.indexOf("}", start)),
);

/** WCAG 2.2 relative luminance. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((start) => {
    const channel = parseInt(colour.slice(start, start + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high! + 0.05) / (low! + 0.05);
}

describe.for([
  ["light", light!, "#ffffff"],
  ["dark", dark!, "#212121"],
] as const)("the %s palette", ([, rules, background]) => {
  const colours = CATEGORIES.map((category) => new RegExp(`--nl-${category}: (#[0-9a-f]{6});`).exec(rules)?.[1]);

  it("has its own colour for every category", () => {
    expect(colours).not.toContain(undefined);
    expect(new Set(colours).size).toBe(CATEGORIES.length);
  });

  it("stands out from the background by 3:1 (WCAG 1.4.11)", () => {
    for (const colour of colours) expect(contrast(colour!, background)).toBeGreaterThanOrEqual(3);
  });
});
