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

/** How often each kind of statement is judged, of a hundred. */
const KINDS: Readonly<Record<StatementKind, number>> = {
  affirmed: 50,
  negated: 20,
  conjunction: 9,
  disjunction: 9,
  commonSense: 4,
  saying: 8,
};
const RECALL_FIRST = 0.5;

/** A statement and its verdict, about half of them after recalling what holds. */
export function writeVerdict(context: Context): Exercise {
  const { random } = context;
  const kind = random.weighted(KINDS);
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
