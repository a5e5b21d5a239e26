import { checkNames, checkOptions, choice, integer } from "../../options.js";
import { TextDataset } from "../text.js";
import { STATEMENT_KINDS, writeStatement, type Statement, type StatementKind } from "./labelled.js";
import { Choices } from "./random.js";
import { SPLITS, type Split } from "./relations.js";
import { askedFacts } from "./splits.js";
import type { World } from "./world.js";

export interface StatementOptions {
  /** Default: all, in turn. */
  readonly kinds?: readonly StatementKind[];
  /** Whose facts are stated. Default "test". */
  readonly split?: Split;
  /** Default 200. */
  readonly items?: number;
  /** "unseen": phrasings that training never uses. Default "trained". */
  readonly wording?: "trained" | "unseen";
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Statements with their truth, true and false in turn: for probes, and for experiments of one's own.
 *
 * @throws {OptionError} for an unknown kind or option
 * @example
 * data.pocket2.statements({ kinds: ["negated"], items: 50 }).documents.filter(({ truth }) => truth)
 */
export function pocketStatements(world: World, options: StatementOptions = {}): TextDataset<Statement> {
  const { kinds = STATEMENT_KINDS, ...rest } = options;
  checkNames("data.pocket.statements", "statement kind", kinds, STATEMENT_KINDS);
  const { split, items, wording, seed } = checkOptions("data.pocket.statements", rest, {
    split: choice<Split>(SPLITS, { fallback: "test" }),
    items: integer({ from: 1, fallback: 200 }),
    wording: choice<"trained" | "unseen">(["trained", "unseen"], { fallback: "trained" }),
    seed: integer({ from: 0, fallback: 0 }),
  });
  return new TextDataset(`pocket statements, ${split}, ${wording} wording, seed ${seed}`, function* () {
    for (let index = 0; index < items; index++) {
      const random = new Choices("pocket statement", world.seed, split, wording, seed, index);
      const said = wording === "unseen" ? split : "train";
      const kind = kinds[Math.floor(index / 2) % kinds.length]!;
      yield writeStatement(
        { world, random, split, wording: said, asked: askedFacts(world, split) },
        kind,
        index % 2 === 0,
      );
    }
  });
}
