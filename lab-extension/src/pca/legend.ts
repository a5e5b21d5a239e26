import { element, svgElement } from "../dom.js";
import type { Colours, LegendEntry, Shape } from "./colour.js";

const PATHS: Readonly<Record<Shape, string>> = {
  circle: "M6 1.5a4.5 4.5 0 1 0 .01 0z",
  square: "M2 2h8v8H2z",
  diamond: "M6 .8 11.2 6 6 11.2.8 6z",
  "triangle-up": "M6 1.2 11.2 10.4H.8z",
};

const ENTRIES_SHOWN = 12;

/** What the colours mean: one mark a group, or a scale from low to high. */
export function legendNodes(colours: Colours, more: (count: number) => string): HTMLElement[] {
  if (colours.scale) {
    const { low, high, stops } = colours.scale;
    const bar = element("i", { class: "nl-Gradient", "aria-hidden": "true" });
    bar.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
    return [element("span", { class: "nl-Key" }, short(low), bar, short(high))];
  }
  const groups = colours.groups ?? [];
  const shown = groups.slice(0, ENTRIES_SHOWN).map(entryNode);
  const hidden = groups.length - shown.length;
  return hidden > 0 ? [...shown, element("span", { class: "nl-Key" }, more(hidden))] : shown;
}

function entryNode({ label, colour, shape }: LegendEntry): HTMLElement {
  const mark = svgElement("svg", { viewBox: "0 0 12 12", width: 11, height: 11, "aria-hidden": "true" });
  mark.append(svgElement("path", { d: PATHS[shape], fill: colour }));
  return element("span", { class: "nl-Key", title: label }, mark, element("span", { class: "nl-Key-label" }, label));
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}
