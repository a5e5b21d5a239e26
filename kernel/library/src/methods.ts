import { OptionError } from "./errors.js";
import { checkOptions, choice, didYouMean, type OptionRule } from "./options.js";

type Rules = Readonly<Record<string, OptionRule<unknown>>>;

/** An entry of a registry whose options depend on the method: a quantizer, a tuner. */
export interface Method {
  readonly name: string;
  readonly rules: Rules;
}

/**
 * Splits the options of a call `{ method, …own, …common }` and checks both parts. An option of another method is refused
 * with the name of the method that has it.
 *
 * @throws {OptionError}
 */
export function checkMethodOptions<C extends Rules>(
  op: string,
  methods: Readonly<Record<string, Method>>,
  common: C,
  given: object | undefined,
): { readonly method: string; readonly own: object; readonly common: ReturnType<typeof checkOptions<C>> } {
  const source = (given ?? {}) as Readonly<Record<string, unknown>>;
  const { method } = checkOptions(op, { method: source.method }, { method: choice(Object.keys(methods)) });
  if (method === undefined) {
    const allowed = Object.keys(methods).map((name) => JSON.stringify(name));
    throw new OptionError(op, `No method came. Allowed: ${allowed.join(", ")}. For example { method: ${allowed[0]} }.`);
  }
  const { rules } = methods[method]!;
  checkMethodNames(op, method, methods, common, Object.keys(source));
  return {
    method,
    own: checkOptions(op, pick(source, Object.keys(rules)), rules),
    common: checkOptions(op, pick(source, Object.keys(common)), common),
  };
}

function checkMethodNames(
  op: string,
  method: string,
  methods: Readonly<Record<string, Method>>,
  common: Rules,
  names: readonly string[],
): void {
  const own = Object.keys(methods[method]!.rules);
  const allowed = ["method", ...own, ...Object.keys(common)];
  for (const name of names) {
    if (allowed.includes(name)) continue;
    const others = Object.values(methods).flatMap((other) => (name in other.rules ? [other.name] : []));
    const elsewhere = others.length === 0 ? "" : ` ${together(others)} ${others.length === 1 ? "has" : "have"} it.`;
    throw new OptionError(
      op,
      `${method} has no option ${JSON.stringify(name)}. Its options: ${own.join(", ") || "none"}; ` +
        `for every method: ${Object.keys(common).join(", ")}.${elsewhere}${didYouMean(name, allowed)}`,
      { option: name, method, allowed },
    );
  }
}

/** "a", "a and b", "a, b and c". */
function together(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")} and ${names.at(-1)!}`;
}

function pick(source: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => name in source).map((name) => [name, source[name]]));
}
