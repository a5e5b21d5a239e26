import { Random } from "../../random.js";

/**
 * Random choices for generated text, from any sequence of words and numbers as the seed.
 *
 * @example
 * const random = new Choices("stories", 7); random.pick(["plum", "pear"]);
 */
export class Choices extends Random {
  constructor(...seed: readonly (string | number)[]) {
    const key = seed.join("\u0000");
    // 53 bits of seed, all of which the generator takes in.
    super((hash32(key, 1) >>> 11) * 2 ** 32 + hash32(key));
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.integer(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError("[random] pick from an empty list.");
    return list[this.integer(list.length)]!;
  }

  /** `count` different entries, in random order. */
  sample<T>(list: readonly T[], count: number): T[] {
    const pool = [...list];
    const taken = Math.min(count, pool.length);
    for (let index = 0; index < taken; index++) {
      const other = index + this.integer(pool.length - index);
      [pool[index], pool[other]] = [pool[other]!, pool[index]!];
    }
    return pool.slice(0, taken);
  }

  /** One key of `weights`, as often as its share. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let point = this.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      point -= weight;
      if (point < 0) return key;
    }
    return entries.at(-1)![0];
  }
}

/** FNV-1a over UTF-16 code units, then the finalizer of MurmurHash3: an unsigned 32-bit integer. */
export function hash32(text: string, salt = 0): number {
  let hash = 0x811c9dc5 ^ salt;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
