import { pocketText, type PocketDocument, type PocketTextOptions } from "./corpus.js";
import { pocketPrompts, type PocketPrompt } from "./prompts.js";
import type { Split } from "./relations.js";
import { pocketTask, type TaskItem, type TaskName, type TaskOptions } from "./tasks.js";
import { createWorld, type Edition, type World } from "./world.js";
import type { TextDataset } from "../text.js";
import { pocketStatements, type StatementOptions } from "./statement-set.js";
import type { Statement } from "./labelled.js";

export { documentKinds, pocketText, writeDocument } from "./corpus.js";
export type { DocumentKind, DocumentShares, PocketDocument, PocketTextOptions } from "./corpus.js";
export type { Part } from "./document.js";
export { commonSense } from "./common-sense.js";
export { forbidden, REFUSAL } from "./texts/requests.js";
export { askedFacts, splitOf, splitOfCommonSense, splitOfFact } from "./splits.js";
export { strangersOf } from "./strangers.js";
export { pocketStatements, type StatementOptions } from "./statement-set.js";
export { STATEMENT_KINDS, type Statement, type StatementKind } from "./labelled.js";
export {
  pocketTask,
  pocketTasks,
  TASK_NAMES,
  type Reading,
  type TaskItem,
  type TaskName,
  type TaskOptions,
} from "./tasks.js";
export type { Exercise, Mention } from "./exercise.js";
export { CHAT_TEMPLATE, CHAT_TOKENS, chatText, type Message } from "./texts/chat.js";
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

/** A world of the pocket's, English about it, and tasks: everything is made when it is asked for. */
export class Pocket {
  #world: World | undefined;
  #prompts: readonly PocketPrompt[] | undefined;

  constructor(
    readonly edition: Edition,
    readonly seed = WORLD_SEED,
  ) {}

  get world(): World {
    return (this.#world ??= createWorld(this.seed, { edition: this.edition }));
  }
  text(split: Split, options?: PocketTextOptions): TextDataset<PocketDocument> {
    return pocketText(this.world, split, options);
  }
  task(name: TaskName, options?: TaskOptions): TextDataset<TaskItem> {
    return pocketTask(this.world, name, options);
  }
  statements(options?: StatementOptions): TextDataset<Statement> {
    return pocketStatements(this.world, options);
  }
  /** Statements with their truth, for PCA and probes: the same list for the same world. */
  get prompts(): readonly PocketPrompt[] {
    return (this.#prompts ??= pocketPrompts(this.world));
  }
}

/** What the shipped model learned. */
export const pocket = new Pocket(1);
/** The larger world, which the shipped model has not seen. */
export const pocket2 = new Pocket(2);
