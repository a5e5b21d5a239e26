import type { Positions } from "../nn/attention.js";
import { OptionError, ShapeError } from "../errors.js";
import { nearest, shown } from "../options.js";
import { reshape } from "../tensor/ops.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * Sees an activation [batch, length, hidden] on its way; returning a tensor of that shape puts it in its place.
 * The activation lives during the call: `keep(activation.share())` or copy what is needed later.
 */
export type Hook = (activation: Tensor, name: string) => Tensor | void;
export type Hooks = Readonly<Record<string, Hook>>;
/** Called at each hook point with x [batch·length, hidden]; gives what the model goes on with. */
export type Tap = (name: string, x: Tensor, positions: Positions) => Tensor;

const BLOCK_HOOKS = ["hook_resid_pre", "hook_resid_mid", "hook_resid_post"] as const;

/** The hook points of a decoder, in the order in which they are reached; the names are TransformerLens's. */
export function hookNames(layers: number): string[] {
  const blocks = Array.from({ length: layers }, (_, layer) => BLOCK_HOOKS.map((name) => `blocks.${layer}.${name}`));
  return ["hook_embed", ...blocks.flat(), "ln_final.hook_normalized"];
}

/**
 * The hook points that names stand for; `{i}` in a name stands for every layer.
 *
 * @throws {OptionError} for an unknown name, with the nearest ones
 */
export function expandHooks(op: string, names: string | readonly string[], layers: number): string[] {
  const known = hookNames(layers);
  return [names].flat().flatMap((name) => {
    const expanded = name.includes("{i}")
      ? Array.from({ length: layers }, (_, layer) => name.replace("{i}", String(layer)))
      : [name];
    for (const one of expanded) if (!known.includes(one)) throw unknownHook(op, name, one, known, layers);
    return expanded;
  });
}

function unknownHook(op: string, name: string, one: string, known: readonly string[], layers: number): OptionError {
  const near = nearest(one, known, 3).map((candidate) => JSON.stringify(candidate));
  const allowed = ["hook_embed", ...BLOCK_HOOKS.map((hook) => `blocks.{i}.${hook}`), "ln_final.hook_normalized"].join(
    ", ",
  );
  const hint = near.length === 0 ? "" : ` Near: ${near.join(", ")}.`;
  return new OptionError(
    op,
    `Unknown hook ${JSON.stringify(name)}. Allowed: ${allowed}, with {i} from 0 to ${layers - 1}.${hint}`,
    { hook: name },
  );
}

/** A tap that calls hooks; null where there are none, so that the pass is the plain one. */
export function tapOf(op: string, hooks: Hooks | undefined, layers: number): Tap | null {
  const byName = new Map<string, Hook[]>();
  for (const [pattern, hook] of Object.entries(hooks ?? {})) {
    if (typeof hook !== "function") {
      throw new OptionError(op, `The hook at "${pattern}" is ${shown(hook)}. Allowed: a function of the activation.`, {
        hook: pattern,
      });
    }
    for (const name of expandHooks(op, [pattern], layers)) byName.set(name, [...(byName.get(name) ?? []), hook]);
  }
  if (byName.size === 0) return null;
  return (name, x, { batch, length }) => {
    let current = x;
    for (const hook of byName.get(name) ?? []) {
      const seen = reshape(current, [batch, length, x.shape[1]!]);
      const replacement = hook(seen, name);
      if (replacement !== undefined) current = replaced(op, name, seen, replacement, x);
    }
    return current;
  };
}

function replaced(op: string, name: string, seen: Tensor, replacement: Tensor, x: Tensor): Tensor {
  if (!(replacement instanceof Tensor) || replacement.shape.join() !== seen.shape.join()) {
    const came = replacement instanceof Tensor ? `[${replacement.shape.join(", ")}]` : shown(replacement);
    const text = `The hook at "${name}" returned ${came}. Allowed: [${seen.shape.join(", ")}], or nothing.`;
    throw new ShapeError(op, text);
  }
  return reshape(replacement, x.shape);
}
