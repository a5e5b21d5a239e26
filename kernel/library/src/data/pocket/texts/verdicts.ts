import { affirm, fact, phrase, type Context } from "../document.js";
import type { Exercise } from "../exercise.js";
import { writeStatement, type Statement, type StatementKind } from "../labelled.js";
import type { Phrasings } from "../relations.js";

const CLAIMS: Phrasings = {
  train: ["Claim: {s}", "Statement: {s}"],
  validation: ["Somebody writes: {s}"],
  test: ["It was said: {s}"],
};
export const VERDICTS = [" true", " false"] as const;

/** How often each kind of statement comes up where it is not simply affirmed, of a hundred. */
const OTHER_KINDS = {
  negated: 45,
  conjunction: 18,
  disjunction: 18,
  commonSense: 8,
  saying: 11,
} as const satisfies Partial<Record<StatementKind, number>>;
const RECALL_FIRST = 0.5;

/** A fact or a false claim, and its verdict after recalling what holds. */
export function writeRecalled(context: Context): Exercise {
  return judge(context, writeStatement(context, "affirmed", context.random.chance(0.5)), true);
}

/** The same without recalling. */
export function writeJudged(context: Context): Exercise {
  return judge(context, writeStatement(context, "affirmed", context.random.chance(0.5)), false);
}

/** Denials, sayings, common sense, and statements of two parts; recalled first or not where there is one fact to recall. */
export function writeJudgedOther(context: Context): Exercise {
  const { random } = context;
  const kind = random.weighted(OTHER_KINDS);
  return judge(context, writeStatement(context, kind, random.chance(0.5)), random.chance(RECALL_FIRST));
}

/** @param recall first the value that holds, then the verdict; only for statements of one claim */
export function judge(context: Context, statement: Statement, recall: boolean): Exercise {
  const [claim, ...more] = statement.claims;
  const first = phrase(context, CLAIMS).replace("{s}", statement.text);
  const recalls = recall && claim !== undefined && more.length === 0;
  const truth = recalls ? fact(context.world, claim.subject, claim.relation) : undefined;
  return {
    prompt: truth === undefined ? `${first}\nVerdict:` : `${first}\nAnswer:`,
    worked: truth === undefined ? "" : ` ${truth.value}.\nVerdict:`,
    answer: VERDICTS[statement.truth ? 0 : 1],
    options: VERDICTS,
    end: ".",
    claims: [...(statement.truth ? statement.claims : []), ...(truth === undefined ? [] : [affirm(truth)])],
    rejected: statement.truth ? [] : statement.claims,
  };
}
