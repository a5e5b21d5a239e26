import type { Colouring, Comparison } from "./model.js";

/** Marker shapes that Plotly and the legend both know. */
export const SHAPES = ["circle", "square", "diamond", "triangle-up"] as const;
export type Shape = (typeof SHAPES)[number];

export interface LegendEntry {
  readonly label: string;
  readonly colour: string;
  readonly shape: Shape;
}

/** How every point is drawn, and what that means. */
export interface Colours {
  readonly colour: readonly string[];
  readonly shape: readonly Shape[];
  /** One entry a group; null for a scale. */
  readonly groups: readonly LegendEntry[] | null;
  readonly scale: { readonly low: number; readonly high: number; readonly stops: readonly string[] } | null;
}

/** Distinct tokens that get a colour of their own; the rest shares one. */
const TOKENS_NAMED = 6;

/** What colours and words a theme gives. */
export interface Palette {
  /** Told apart by colour-blind eyes too. */
  readonly groups: readonly string[];
  readonly rest: string;
  /** From small to large, ending in the strongest contrast. */
  readonly scale: readonly string[];
  readonly restLabel: string;
}

/**
 * Colours and shapes of all points: groups take the palette in turn, with another shape on each round, so that 28
 * groups differ without relying on colour alone.
 */
export function colourPoints(comparison: Comparison, layer: number, by: Colouring, palette: Palette): Colours {
  const { meta } = comparison;
  switch (by) {
    case "prompt":
      return byGroup(meta.promptOf, meta.prompts, palette);
    case "token":
      return byToken(meta.tokens, palette);
    case "position":
      return byScale(comparison.positions, palette);
    case "displacement":
      return byScale(comparison.moved(layer), palette);
  }
}

function byGroup(groupOf: readonly number[], labels: readonly string[], palette: Palette): Colours {
  const entry = (group: number): LegendEntry => ({
    label: labels[group] ?? "",
    colour: palette.groups[group % palette.groups.length] ?? palette.rest,
    shape: SHAPES[Math.floor(group / palette.groups.length) % SHAPES.length] ?? "circle",
  });
  const groups = labels.map((_, group) => entry(group));
  return {
    colour: groupOf.map((group) => groups[group]?.colour ?? palette.rest),
    shape: groupOf.map((group) => groups[group]?.shape ?? "circle"),
    groups,
    scale: null,
  };
}

function byToken(tokens: readonly string[], palette: Palette): Colours {
  const counts = new Map<string, number>();
  for (const token of tokens) {
    counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  const named = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).slice(0, TOKENS_NAMED);
  const index = new Map(named.map(([token], group) => [token, group]));
  const groups = named.map(([token], group): LegendEntry => ({
    label: showToken(token),
    colour: palette.groups[group] ?? palette.rest,
    shape: "circle",
  }));
  const rest: LegendEntry = { label: palette.restLabel, colour: palette.rest, shape: "circle" };
  return {
    colour: tokens.map((token) => groups[index.get(token) ?? -1]?.colour ?? palette.rest),
    shape: tokens.map(() => "circle"),
    groups: counts.size > groups.length ? [...groups, rest] : groups,
    scale: null,
  };
}

function byScale(values: ArrayLike<number>, palette: Palette): Colours {
  const all = Array.from(values);
  const low = all.reduce((least, value) => Math.min(least, value), Infinity);
  const high = all.reduce((most, value) => Math.max(most, value), -Infinity);
  return {
    colour: all.map((value) => between(palette.scale, high > low ? (value - low) / (high - low) : 0)),
    shape: all.map(() => "circle"),
    groups: null,
    scale: { low, high, stops: palette.scale },
  };
}

/** A colour on the way through `#rrggbb` stops; `share` runs from 0 to 1. */
export function between(stops: readonly string[], share: number): string {
  const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const index = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [channels(stops[index] ?? "#000000"), channels(stops[index + 1] ?? "#000000")];
  const mixed = a.map((value, i) => Math.round(value + ((b[i] ?? value) - value) * (place - index)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}

/** A token with its white space made visible. */
export function showToken(token: string): string {
  return token.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");
}
