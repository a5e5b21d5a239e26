import { ENTITY_KINDS, inventNames, type EntityKind } from "./names.js";
import type { Context } from "./document.js";
import { createWorld, type World } from "./world.js";

/** Added to a world's seed for the world of its strangers: far from the seeds that anyone gives. */
const STRANGERS = 7_000_003;
const strangers = new WeakMap<World, World>();

/** A second world of names that no training text has: who reads about them has only the text. */
export function strangersOf(world: World): World {
  let found = strangers.get(world);
  if (found === undefined) {
    found = createWorld(world.seed + STRANGERS, { edition: world.edition, avoid: [world] });
    strangers.set(world, found);
  }
  return found;
}

/** Names that mean nothing in this world: of strangers in tests, in training made up for the occasion and never a stranger's. */
export function freshNames({ world, random, split }: Context, count: number): string[] {
  const away = strangersOf(world);
  if (split !== "train")
    return random.sample(
      ENTITY_KINDS.flatMap((kind) => away.names(kind)),
      count,
    );
  const names: string[] = [];
  const taken = new Set<string>();
  while (names.length < count) {
    const kind: EntityKind = random.pick(ENTITY_KINDS);
    const [name] = inventNames(kind, 1, random, taken) as [string];
    if (world.kindOf(name) === undefined && away.kindOf(name) === undefined) names.push(name);
  }
  return names;
}
