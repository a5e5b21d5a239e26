import type { Choices } from "./random.js";

export const ENTITY_KINDS = ["person", "place", "animal", "medicine", "illness", "gene", "invention"] as const;
export type EntityKind = (typeof ENTITY_KINDS)[number];

const ONSETS = "b br d dr f g gr h k l m n p r s st t tr v".split(" ");
const VOWELS = "a e i o u".split(" ");
const MIDDLES = "b d l m n p r s t v".split(" ");
/** Between vowels there is room for two consonants. */
const LONG_MIDDLES = [...MIDDLES, ..."ld lm lt nd nt rd rl rm rn rv st".split(" ")];

/** A kind is recognizable by its ending; names are single capitalized words, spelt the same everywhere in a sentence. */
const ENDINGS: Readonly<Record<Exclude<EntityKind, "gene">, readonly string[]>> = {
  person: "a an el en in is o ric".split(" "),
  place: "dale ford ham haven holm mere stead wick".split(" "),
  animal: "back crow finch hare moth otter toad wolf".split(" "),
  medicine: "axil idine olin oxan umel yne".split(" "),
  illness: "ache fever itis osis pox rash".split(" "),
  invention: "bell graph kite lamp loom phone scope wheel".split(" "),
};
const GENE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
/** How many first letters tell names apart: names that begin alike are hard to read apart. */
const STEM_LETTERS = 4;

/** Marks names as given away. */
export function takeNames(names: readonly string[], taken: Set<string>): void {
  for (const name of names) taken.add(name.slice(0, STEM_LETTERS).toLowerCase()).add(name.toLowerCase());
}

/** `count` different names of one kind; `taken` holds every name so far (lower case) and grows. */
export function inventNames(kind: EntityKind, count: number, random: Choices, taken: Set<string>): string[] {
  const names: string[] = [];
  while (names.length < count) {
    const name = kind === "gene" ? geneName(random) : wordName(kind, random);
    const stem = name.slice(0, STEM_LETTERS).toLowerCase();
    if (taken.has(stem) || taken.has(name.toLowerCase())) continue;
    takeNames([name], taken);
    names.push(name);
  }
  return names;
}

function wordName(kind: Exclude<EntityKind, "gene">, random: Choices): string {
  const ending = random.pick(ENDINGS[kind]);
  const middles = /^[aeiouy]/.test(ending) ? LONG_MIDDLES : MIDDLES;
  const word = random.pick(ONSETS) + random.pick(VOWELS) + random.pick(middles) + ending;
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function geneName(random: Choices): string {
  const letters = [...Array(3)].map(() => GENE_LETTERS.charAt(random.integer(GENE_LETTERS.length)));
  return letters.join("") + String(random.between(1, 9));
}
