import { OptionError } from "../../errors.js";
import { checkNames, checkOptions, choice, integer } from "../../options.js";
import { TextDataset } from "../text.js";
import { writeArithmetic } from "./arithmetic.js";
import type { Context, Draft } from "./document.js";
import { Choices, hash32 } from "./random.js";
import { SPLITS, type Split } from "./relations.js";
import { writeDescription, writeFacts, writeNegations, writeQuestions, writeVerdicts } from "./statements.js";
import { writeStory } from "./stories.js";
import type { World } from "./world.js";

/** The only list of document kinds: how each is written, and how many of a hundred are of its kind. */
export const documentKinds = {
  facts: { write: writeFacts, share: 22 },
  description: { write: writeDescription, share: 16 },
  negations: { write: writeNegations, share: 12 },
  questions: { write: writeQuestions, share: 18 },
  verdicts: { write: writeVerdicts, share: 8 },
  story: { write: writeStory, share: 14 },
  arithmetic: { write: writeArithmetic, share: 10 },
} as const satisfies Record<string, { write: (context: Context) => Draft; share: number }>;
export type DocumentKind = keyof typeof documentKinds;

const SHARES = Object.fromEntries(Object.entries(documentKinds).map(([kind, { share }]) => [kind, share])) as Record<
  DocumentKind,
  number
>;

/** A text of the pocket world, with what it says. */
export interface PocketDocument extends Draft {
  readonly kind: DocumentKind;
}

/** Where a text belongs is decided by the text itself, so that no text can be in two splits. */
const BUCKETS = 20;
export function splitOf(text: string): Split {
  const bucket = hash32(text) % BUCKETS;
  return bucket === 0 ? "test" : bucket === 1 ? "validation" : "train";
}

/** Document number `index` of a split: independent of all others, the same bytes for the same arguments. */
export function writeDocument(world: World, split: Split, wording: Split, seed: number, index: number): PocketDocument {
  const random = new Choices("pocket document", world.seed, split, wording, seed, index);
  const kind = random.weighted(SHARES);
  const context: Context = { world, random, split, wording };
  for (;;) {
    const draft = documentKinds[kind].write(context);
    if (splitOf(draft.text) === split) return { kind, ...draft };
  }
}

export interface PocketTextOptions {
  /** How many documents; 2,000 in "train" and 200 elsewhere when neither limit is given. */
  readonly documents?: number;
  /** Stop after the document that reaches this many characters. */
  readonly characters?: number;
  /** "trained" (default): the phrasings of training; "unseen": only such that training never uses, in "validation" and "test". */
  readonly wording?: "trained" | "unseen";
  /** Another seed gives other documents about the same world. */
  readonly seed?: number;
}

const DEFAULT_DOCUMENTS: Readonly<Record<Split, number>> = { train: 2000, validation: 200, test: 200 };

/**
 * English about the pocket world: facts, descriptions, denials, questions, verdicts, stories and arithmetic.
 *
 * No text occurs in two splits. "test" uses sums that "train" never does; with unseen wording, all phrasings and plots are new as well.
 * Documents are written one by one while they are read: any number fits.
 *
 * @param split "train" | "validation" | "test"
 * @returns a dataset: iterate it for the texts, or take `.documents`, `.text`
 * @throws {OptionError} for an unknown split or option
 * @example
 * for (const text of data.pocket.text("train", { documents: 3, seed: 2 })) console.log(text);
 */
export function pocketText(world: World, split: Split, options: PocketTextOptions = {}): TextDataset<PocketDocument> {
  checkNames("data.pocket.text", "split", [split], SPLITS);
  const { documents, characters, wording, seed } = checkOptions("data.pocket.text", options, {
    documents: integer({ from: 1 }),
    characters: integer({ from: 1 }),
    wording: choice(["trained", "unseen"], { fallback: "trained" }),
    seed: integer({ from: 0, fallback: 0 }),
  });
  if (wording === "unseen" && split === "train") {
    const allowed = SPLITS.filter((name) => name !== "train").map((name) => JSON.stringify(name));
    throw new OptionError(
      "data.pocket.text",
      `wording is "unseen" in split "train". Allowed: in ${allowed.join(", ")}.`,
    );
  }
  const limit = documents ?? (characters === undefined ? DEFAULT_DOCUMENTS[split] : Infinity);
  const name = `pocket ${split}${wording === "unseen" ? ", unseen wording" : ""}, seed ${seed}`;
  return new TextDataset(name, function* () {
    for (let index = 0, length = 0; index < limit && length < (characters ?? Infinity); index++) {
      const document = writeDocument(world, split, wording === "unseen" ? split : "train", seed, index);
      length += document.text.length;
      yield document;
    }
  });
}
