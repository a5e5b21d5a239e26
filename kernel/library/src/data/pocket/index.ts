import { pocketText, type PocketDocument, type PocketTextOptions } from "./corpus.js";
import { pocketPrompts, type PocketPrompt } from "./prompts.js";
import type { Split } from "./relations.js";
import { createWorld, type World } from "./world.js";
import type { TextDataset } from "../text.js";

export { documentKinds, pocketText, writeDocument } from "./corpus.js";
export type { DocumentKind, DocumentShares, PocketDocument, PocketTextOptions } from "./corpus.js";
export type { Part } from "./document.js";
export { commonSense } from "./common-sense.js";
export { forbidden, REFUSAL } from "./texts/requests.js";
export { askedFacts, splitOf, splitOfCommonSense, splitOfFact } from "./splits.js";
export { strangersOf } from "./strangers.js";
export { ENTITY_KINDS, type EntityKind } from "./names.js";
export type { PocketPrompt } from "./prompts.js";
export { isTestProblem } from "./arithmetic.js";
export {
  fill,
  RELATION_NAMES,
  relations,
  SPLITS,
  type Phrasings,
  type Relation,
  type RelationName,
  type Split,
} from "./relations.js";
export { createWorld, EDITIONS, type Claim, type Edition, type Fact, type World, type WorldOptions } from "./world.js";

const WORLD_SEED = 1;
let world: World | undefined;
let prompts: readonly PocketPrompt[] | undefined;

/** The world that the shipped model learned, and English about it. */
export const pocket = {
  get world(): World {
    return (world ??= createWorld(WORLD_SEED));
  },
  text(split: Split, options?: PocketTextOptions): TextDataset<PocketDocument> {
    return pocketText(pocket.world, split, options);
  },
  /** Statements with topic and truth, for PCA and probes. */
  get prompts(): readonly PocketPrompt[] {
    return (prompts ??= pocketPrompts(pocket.world));
  },
};
