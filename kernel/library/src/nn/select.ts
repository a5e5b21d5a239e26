import { OptionError } from "../errors.js";
import { nearest } from "../options.js";

/**
 * The layers that patterns choose. A pattern is a whole dotted name or its last parts, `*` standing for any letters:
 * "q_proj", "attention.*", "blocks.0.*".
 *
 * @param noun what the option is called in the error text
 * @throws {OptionError} for a pattern that chooses nothing, naming the nearest layers
 * @example
 * selectByName("tune", "targets", model.linears(), ["q_proj", "v_proj"]);
 */
export function selectByName<T>(
  op: string,
  noun: string,
  layers: Iterable<readonly [string, T]>,
  patterns: readonly string[],
): [string, T][] {
  const all = [...layers].map(([name, layer]): [string, T] => [name, layer]);
  const chosen = new Set<string>();
  for (const pattern of patterns) {
    const matches = all.filter(([name]) => matchesName(pattern, name));
    if (matches.length === 0)
      throw nothingChosen(
        op,
        noun,
        pattern,
        all.map(([name]) => name),
      );
    for (const [name] of matches) chosen.add(name);
  }
  return all.filter(([name]) => chosen.has(name));
}

/** Whether a dotted name fits a pattern, see `selectByName`. */
export function matchesName(pattern: string, name: string): boolean {
  return matcher(pattern).test(name);
}

function matcher(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^(?:.*\\.)?${escaped}$`);
}

function nothingChosen(op: string, noun: string, pattern: string, names: readonly string[]): OptionError {
  const last = [...new Set(names.map((name) => name.split(".").at(-1)!))];
  const near = nearest(pattern, [...last, ...names], 1)[0];
  const hint = near === undefined ? "" : ` Did you mean ${JSON.stringify(near)}?`;
  return new OptionError(
    op,
    `${noun} ${JSON.stringify(pattern)} fits no layer. Layers end in: ${last.join(", ")}; a full name is for example ${JSON.stringify(names[0] ?? "")}.${hint}`,
    { [noun]: pattern, layers: names },
  );
}
