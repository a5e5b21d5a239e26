import { OptionError } from "../../errors.js";
import { checkNames, checkOptions, choice, custom, integer } from "../../options.js";
import { TextDataset } from "../text.js";
import { writeArithmetic } from "./arithmetic.js";
import type { Context, Draft } from "./document.js";
import { exerciseWriter } from "./exercise.js";
import { ENTITY_KINDS } from "./names.js";
import { Choices } from "./random.js";
import { SPLITS, type Split } from "./relations.js";
import { askedFacts, splitOf } from "./splits.js";
import { writeDescription, writeFacts, writeNegations, writeQuestions, writeVerdicts } from "./statements.js";
import { writeStory } from "./stories.js";
import {
  entityExercise,
  FINDINGS,
  maybeExercise,
  relationExercise,
  type Finding,
  type Study,
} from "./texts/abstracts.js";
import { writeChat } from "./texts/chat.js";
import { writeChoice } from "./texts/choices.js";
import { writeCommonSense, writeSayings } from "./texts/lore.js";
import { writeCopy, writePairs } from "./texts/matching.js";
import { writeNarrator } from "./texts/narrators.js";
import { writeLaws, writeRequests } from "./texts/requests.js";
import { topicExercise } from "./texts/topics.js";
import { writeJudged, writeJudgedOther, writeRecalled } from "./texts/verdicts.js";
import { EDITIONS, type Edition, type World } from "./world.js";

const studied = ({ random }: Context) =>
  [random.pick<Study>(["treats", "linkedTo"]), random.pick<Finding>(FINDINGS)] as const;

/** The only list of document kinds: how each is written, and how many of a hundred are of its kind in each edition. */
export const documentKinds = {
  facts: { write: writeFacts, share: { 1: 22, 2: 12 } },
  description: { write: writeDescription, share: { 1: 16, 2: 8 } },
  negations: { write: writeNegations, share: { 1: 12, 2: 5 } },
  questions: { write: writeQuestions, share: { 1: 18, 2: 8 } },
  verdicts: { write: writeVerdicts, share: { 1: 8, 2: 0 } },
  story: { write: writeStory, share: { 1: 14, 2: 8 } },
  arithmetic: { write: writeArithmetic, share: { 1: 10, 2: 7 } },
  recalled: { write: exerciseWriter(writeRecalled, 3), share: { 1: 0, 2: 4 } },
  judged: { write: exerciseWriter(writeJudged, 3), share: { 1: 0, 2: 4 } },
  judgedOther: { write: exerciseWriter(writeJudgedOther, 3), share: { 1: 0, 2: 4 } },
  narrator: { write: writeNarrator, share: { 1: 0, 2: 4 } },
  choices: { write: exerciseWriter(writeChoice, 2), share: { 1: 0, 2: 5 } },
  chat: { write: writeChat, share: { 1: 0, 2: 10 } },
  requests: { write: writeRequests, share: { 1: 0, 2: 4 } },
  laws: { write: writeLaws, share: { 1: 0, 2: 1 } },
  sayings: { write: writeSayings, share: { 1: 0, 2: 2 } },
  commonSense: { write: writeCommonSense, share: { 1: 0, 2: 2 } },
  entities: { write: exerciseWriter(entityExercise, 1), share: { 1: 0, 2: 2 } },
  relation: {
    write: exerciseWriter((context) => relationExercise(context, ...studied(context)), 1),
    share: { 1: 0, 2: 2 },
  },
  maybe: { write: exerciseWriter((context) => maybeExercise(context, ...studied(context)), 1), share: { 1: 0, 2: 2 } },
  topic: {
    write: exerciseWriter((context) => topicExercise(context, context.random.pick(ENTITY_KINDS)), 1),
    share: { 1: 0, 2: 2 },
  },
  pairs: { write: writePairs, share: { 1: 0, 2: 2 } },
  copy: { write: writeCopy, share: { 1: 0, 2: 2 } },
} as const satisfies Record<string, { write: (context: Context) => Draft; share: Record<Edition, number> }>;
export type DocumentKind = keyof typeof documentKinds;
export type DocumentShares = Readonly<Partial<Record<DocumentKind, number>>>;

const NONE = Object.fromEntries(Object.keys(documentKinds).map((kind) => [kind, 0])) as Record<DocumentKind, number>;
const SHARES = Object.fromEntries(
  EDITIONS.map((edition) => [
    edition,
    Object.fromEntries(Object.entries(documentKinds).map(([kind, { share }]) => [kind, share[edition]])),
  ]),
) as Readonly<Record<Edition, Readonly<Record<DocumentKind, number>>>>;

/** A text of the pocket world, with what it says. */
export interface PocketDocument extends Draft {
  readonly kind: DocumentKind;
}

interface DocumentOptions {
  readonly split: Split;
  readonly wording: Split;
  readonly seed: number;
  readonly shares?: DocumentShares | undefined;
}

/** Document number `index` of a split: independent of all others, the same bytes for the same arguments. */
export function writeDocument(
  world: World,
  { split, wording, seed, shares }: DocumentOptions,
  index: number,
): PocketDocument {
  const random = new Choices("pocket document", world.seed, split, wording, seed, index);
  const kind = random.weighted<DocumentKind>({ ...NONE, ...(shares ?? SHARES[world.edition]) });
  const context: Context = { world, random, split, wording, asked: askedFacts(world, split) };
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
  /** How many of each kind among as many as the sum; default: the edition's own. */
  readonly shares?: DocumentShares;
  /** Another seed gives other documents about the same world. */
  readonly seed?: number;
}

function isShares(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const shares: unknown[] = Object.values(value);
  return (
    shares.some((share) => share !== 0) && shares.every((share) => Number.isFinite(share) && (share as number) >= 0)
  );
}

const DEFAULT_DOCUMENTS: Readonly<Record<Split, number>> = { train: 2000, validation: 200, test: 200 };

/**
 * English about the pocket world, of the kinds of `documentKinds`.
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
  const { documents, characters, wording, seed, shares } = checkOptions("data.pocket.text", options, {
    documents: integer({ from: 1 }),
    characters: integer({ from: 1 }),
    wording: choice(["trained", "unseen"], { fallback: "trained" }),
    seed: integer({ from: 0, fallback: 0 }),
    shares: custom<DocumentShares>("an object from document kinds to numbers", isShares),
  });
  if (shares !== undefined)
    checkNames("data.pocket.text", "document kind", Object.keys(shares), Object.keys(documentKinds));
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
      const document = writeDocument(
        world,
        { split, wording: wording === "unseen" ? split : "train", seed, shares },
        index,
      );
      length += document.text.length;
      yield document;
    }
  });
}
