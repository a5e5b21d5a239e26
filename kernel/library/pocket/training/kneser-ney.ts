/**
 * Interpolated Kneser–Ney n-gram model with one discount an order: the baseline that a trained model has to beat.
 *
 *   P(w | h) = max(c(h w) − D, 0) / c(h) + D · N(h) / c(h) · P(w | h′)      (Chen and Goodman 1999, equation 13)
 *
 * where h′ drops the oldest word of h, N(h) counts the different words after h, and below the highest order c counts
 * different words before instead of occurrences. D = n₁ / (n₁ + 2 n₂). The lowest order interpolates with 1 / vocabulary.
 *
 * @example
 * const model = new KneserNey(4, 2048); model.count(ids); model.perplexity(heldOut);
 */
export class KneserNey {
  /** By length − 1: occurrences of each n-gram, keyed by its digits in base `vocabulary`. */
  readonly #occurrences: Map<number, number>[];
  #tables: readonly Order[] | undefined;

  constructor(
    readonly order: number,
    readonly vocabulary: number,
  ) {
    if (vocabulary ** order > Number.MAX_SAFE_INTEGER) {
      throw new RangeError(`[kneser-ney] ${vocabulary} words to the power of ${order} do not fit into a number.`);
    }
    this.#occurrences = Array.from({ length: order }, () => new Map<number, number>());
  }

  /** Adds a running text to the counts. */
  count(ids: readonly number[]): void {
    this.#tables = undefined;
    for (let end = 1; end <= ids.length; end++) {
      for (let length = 1; length <= Math.min(this.order, end); length++) {
        const counts = this.#occurrences[length - 1]!;
        const key = this.#key(ids, end - length, end);
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
  }

  /** P(ids[at] | up to order − 1 words before it). */
  probability(ids: readonly number[], at: number): number {
    const tables = (this.#tables ??= this.#estimate());
    let probability = 1 / this.vocabulary;
    for (let length = 1; length <= Math.min(this.order, at + 1); length++) {
      const { grams, contexts, discount } = tables[length - 1]!;
      const context = contexts.get(this.#key(ids, at - length + 1, at));
      if (context === undefined) break;
      const count = grams.get(this.#key(ids, at - length + 1, at + 1)) ?? 0;
      probability = (Math.max(count - discount, 0) + discount * context.different * probability) / context.total;
    }
    return probability;
  }

  /** exp of the mean of −ln P over all words but the first, which nothing stands before. */
  perplexity(ids: readonly number[]): number {
    let sum = 0;
    for (let at = 1; at < ids.length; at++) sum -= Math.log(this.probability(ids, at));
    return Math.exp(sum / (ids.length - 1));
  }

  #key(ids: readonly number[], start: number, end: number): number {
    let key = 0;
    for (let index = start; index < end; index++) key = key * this.vocabulary + ids[index]!;
    return key;
  }

  #estimate(): Order[] {
    return this.#occurrences.map((occurrences, index) => {
      const highest = index === this.order - 1;
      const grams = highest ? occurrences : this.#continuations(index);
      const contexts = new Map<number, { total: number; different: number }>();
      const met = [0, 0, 0];
      for (const [key, count] of grams) {
        const context = Math.floor(key / this.vocabulary);
        const entry = contexts.get(context) ?? { total: 0, different: 0 };
        entry.total += count;
        entry.different++;
        contexts.set(context, entry);
        if (count <= 2) met[count]!++;
      }
      const discount = met[1]! === 0 ? FALLBACK_DISCOUNT : met[1]! / (met[1]! + 2 * met[2]!);
      return { grams, contexts, discount };
    });
  }

  /** How many different words stand before each n-gram: read off the n-grams that are one longer. */
  #continuations(index: number): Map<number, number> {
    const counts = new Map<number, number>();
    const modulus = this.vocabulary ** (index + 1);
    for (const key of this.#occurrences[index + 1]!.keys()) {
      const tail = key % modulus;
      counts.set(tail, (counts.get(tail) ?? 0) + 1);
    }
    return counts;
  }
}

// Used where no n-gram occurs once, so that the estimate from singletons does not exist.
const FALLBACK_DISCOUNT = 0.5;

interface Order {
  readonly grams: ReadonlyMap<number, number>;
  readonly contexts: ReadonlyMap<number, { total: number; different: number }>;
  readonly discount: number;
}
