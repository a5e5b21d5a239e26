import { OptionError } from "./errors.js";

/** One option: what it may be, and what it is when it is left out. */
export interface OptionRule<T> {
  /** For the error text, for example "an integer from 1 to 64" or the list of allowed names. */
  readonly expects: string;
  readonly accepts: (value: unknown) => boolean;
  /** The names, where the option is a choice: a misspelt one gets its nearest. */
  readonly names?: readonly string[];
  readonly fallback?: T;
}
type Rules = Readonly<Record<string, OptionRule<unknown>>>;
type ValueOf<R> = R extends { readonly fallback: infer F } & OptionRule<infer T>
  ? T | F
  : R extends OptionRule<infer T>
    ? T | undefined
    : never;
export type CheckedOptions<R extends Rules> = { readonly [K in keyof R]: ValueOf<R[K]> };
type Optional<T> = OptionRule<T>;
type Defaulted<T> = OptionRule<T> & { readonly fallback: T };

function rule<T>(expects: string, accepts: (value: unknown) => boolean, fallback: T | undefined): Optional<T> {
  return fallback === undefined ? { expects, accepts } : { expects, accepts, fallback };
}
function range(noun: string, from: number, to: number): string {
  if (from === -Infinity && to === Infinity) return noun;
  if (to === Infinity) return `${noun} of at least ${from}`;
  return from === -Infinity ? `${noun} of at most ${to}` : `${noun} from ${from} to ${to}`;
}

/** A whole number within [from, to]. */
export function integer(limits: { from?: number; to?: number; fallback: number }): Defaulted<number>;
export function integer(limits?: { from?: number; to?: number }): Optional<number>;
export function integer({ from = 0, to = Infinity, fallback }: { from?: number; to?: number; fallback?: number } = {}) {
  const accepts = (value: unknown) =>
    Number.isSafeInteger(value) && from <= (value as number) && (value as number) <= to;
  return rule<number>(range("a whole number", from, to), accepts, fallback);
}

/** A finite number within [from, to]. */
export function real(limits: { from?: number; to?: number; fallback: number }): Defaulted<number>;
export function real(limits?: { from?: number; to?: number }): Optional<number>;
export function real({
  from = -Infinity,
  to = Infinity,
  fallback,
}: { from?: number; to?: number; fallback?: number } = {}) {
  const accepts = (value: unknown) => Number.isFinite(value) && from <= (value as number) && (value as number) <= to;
  return rule<number>(range("a number", from, to), accepts, fallback);
}

/** A share that something keeps of itself in each step: from 0 to below 1. */
export function decay(fallback: number): Defaulted<number> {
  const accepts = (value: unknown) => typeof value === "number" && value >= 0 && value < 1;
  return custom<number>("a number from 0 to below 1", accepts, fallback);
}

/** true or false. */
export function flag(limits: { fallback: boolean }): Defaulted<boolean>;
export function flag(): Optional<boolean>;
export function flag({ fallback }: { fallback?: boolean } = {}) {
  return rule<boolean>("true or false", (value) => typeof value === "boolean", fallback);
}

/** One of the given values. */
export function choice<T extends string | number>(values: readonly T[], limits: { fallback: T }): Defaulted<T>;
export function choice<T extends string | number>(values: readonly T[]): Optional<T>;
export function choice<T extends string | number>(
  values: readonly T[],
  { fallback }: { fallback?: T } = {},
): Optional<T> {
  const shown = values.map((value) => JSON.stringify(value)).join(", ");
  const accepts = (value: unknown) => (values as readonly unknown[]).includes(value);
  return { ...rule<T>(shown, accepts, fallback), names: values.map(String) };
}

/** Any string. */
export function text(limits: { fallback: string }): Defaulted<string>;
export function text(): Optional<string>;
export function text({ fallback }: { fallback?: string } = {}) {
  return rule<string>("a string", (value) => typeof value === "string", fallback);
}

/** An AbortSignal. */
export function signal(): Optional<AbortSignal> {
  return rule<AbortSignal>("an AbortSignal", (value) => value instanceof AbortSignal, undefined);
}

/** Whatever `accepts` accepts. */
export function custom<T>(expects: string, accepts: (value: unknown) => boolean, fallback: T): Defaulted<T>;
export function custom<T>(expects: string, accepts: (value: unknown) => boolean): Optional<T>;
export function custom<T>(expects: string, accepts: (value: unknown) => boolean, fallback?: T) {
  return rule<T>(expects, accepts, fallback);
}

/**
 * The given options with defaults filled in, checked against a table of rules: names first, then values.
 *
 * @throws {OptionError} naming what came, what is allowed and the nearest name
 * @example
 * const { steps, seed } = checkOptions("train", given, { steps: integer({ from: 1, fallback: 100 }), seed: integer() });
 */
export function checkOptions<R extends Rules>(op: string, given: object | undefined, rules: R): CheckedOptions<R> {
  if (given !== undefined && (typeof given !== "object" || given === null)) {
    throw new OptionError(
      op,
      `Options came as ${shown(given)}. Expected an object with: ${listed(Object.keys(rules))}.`,
    );
  }
  const source = (given ?? {}) as Record<string, unknown>;
  checkNames(op, "option", Object.keys(source), Object.keys(rules));
  const result: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(rules)) {
    const value = source[name];
    if (value !== undefined && !entry.accepts(value)) throw valueError(op, name, value, entry);
    result[name] = value === undefined ? entry.fallback : value;
  }
  return result as CheckedOptions<R>;
}

function valueError(op: string, name: string, value: unknown, entry: OptionRule<unknown>): OptionError {
  const hint = entry.names !== undefined && typeof value === "string" ? didYouMean(value, entry.names) : "";
  return new OptionError(op, `${name} is ${shown(value)}. Allowed: ${entry.expects}.${hint}`, { option: name, value });
}

/** Throws OptionError unless every name is among the allowed ones. `kind` is the noun in the text: "option", "target", … */
export function checkNames(op: string, kind: string, names: readonly string[], allowed: readonly string[]): void {
  for (const name of names) {
    if (allowed.includes(name)) continue;
    const message = `Unknown ${kind} ${JSON.stringify(name)}. Allowed: ${listed(allowed)}.${didYouMean(name, allowed)}`;
    throw new OptionError(op, message, { [kind]: name, allowed });
  }
}

/** ` Did you mean "…"?` for the nearest of the candidates, or nothing where none is near. */
export function didYouMean(name: string, candidates: readonly string[]): string {
  const near = nearest(name, candidates, 1)[0];
  return near === undefined ? "" : ` Did you mean ${JSON.stringify(near)}?`;
}

/** The candidates within an edit distance of a third of the name (at least 2), nearest first. */
export function nearest(name: string, candidates: readonly string[], count: number): string[] {
  const limit = Math.max(2, Math.floor(name.length / 3));
  return candidates
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** Levenshtein's distance, with two rows. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitute = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substitute, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}

/** A value as an error text shows it: short, quoted where it is a string. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}…` : value);
  if (Array.isArray(value))
    return value.length > 8 ? `an array of ${value.length}` : `[${value.map(shown).join(", ")}]`;
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return `an object (${value.constructor?.name ?? "no class"})`;
  return String(value);
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
