import { commonSense } from "./common-sense.js";
import { affirm, fact, mistaken, phrase, say, type Context } from "./document.js";
import type { Phrasings } from "./relations.js";
import { splitOfCommonSense } from "./splits.js";
import type { Claim, Fact, World } from "./world.js";

/** A sentence that is true or false in a world. */
export interface Statement {
  readonly text: string;
  readonly kind: StatementKind;
  readonly truth: boolean;
  /** What it says, in the order of the words; empty for common sense. */
  readonly claims: readonly Claim[];
}
type Draft = Omit<Statement, "kind" | "truth">;

const CONJUNCTIONS: Phrasings = {
  train: ["{A}, and {b}.", "It holds that {a} and that {b}.", "Both are so: {a}, and {b}."],
  validation: ["Not only this holds: {a}; but also that {b}."],
  test: ["{A}; moreover, {b}."],
};
const DISJUNCTIONS: Phrasings = {
  train: ["{A}, or {b}, or both.", "Either one or both hold: {a}, or {b}.", "At least one is so: {a}, or {b}."],
  validation: ["If it does not hold that {a}, then {b}."],
  test: ["One of the two is right, or both: {a}; {b}."],
};
const REMARKS: Phrasings = {
  train: ["{A}.", "Everybody knows: {a}.", "It is well known that {a}."],
  validation: ["Nobody doubts that {a}."],
  test: ["Even a child can tell you that {a}.", "Ask anyone: {a}.", "One need not be wise to see that {a}."],
};

/** The only list of statement kinds: how a sentence of each is made true or false. */
export const statementKinds = {
  /** "Netan lives in Hapwick." */
  affirmed: (context, truth) => simple(context, truth, false),
  /** "Netan does not live in Hapwick." */
  negated: (context, truth) => simple(context, truth, true),
  /** True when both parts are. */
  conjunction: (context, truth) => {
    const parts = context.random.pick(
      truth
        ? [[true, true]]
        : [
            [true, false],
            [false, true],
            [false, false],
          ],
    );
    return compound(context, CONJUNCTIONS, parts);
  },
  /** False when both parts are. */
  disjunction: (context, truth) => {
    const parts = context.random.pick(
      truth
        ? [
            [true, true],
            [true, false],
            [false, true],
          ]
        : [[false, false]],
    );
    return compound(context, DISJUNCTIONS, parts);
  },
  /** What everybody knows, or its absurd opposite. */
  commonSense: (context, truth) => {
    const items = commonSense.filter(({ sentence }) => splitOfCommonSense(sentence) === context.split);
    const { sentence, right, wrong } = context.random.pick(items);
    const text = sentence.replace("{v}", truth ? right : wrong);
    return { text: join(phrase(context, REMARKS), context.world, text), claims: [] };
  },
  /** False: what people in this world wrongly believe. True: what holds instead. */
  saying: (context, truth) => {
    const saying = context.random.pick(askedSayings(context));
    const claim = affirm(truth ? fact(context.world, saying.subject, saying.relation) : saying);
    return { text: say(context, claim), claims: [claim] };
  },
} as const satisfies Record<string, (context: Context, truth: boolean) => Draft>;
export type StatementKind = keyof typeof statementKinds;
export const STATEMENT_KINDS = Object.keys(statementKinds) as readonly StatementKind[];

/** A statement of a kind, with the truth that is asked for. */
export function writeStatement(context: Context, kind: StatementKind, truth: boolean): Statement {
  return { kind, truth, ...statementKinds[kind](context, truth) };
}

/** The false sayings about facts that may be asked about. */
export function askedSayings({ asked, world }: Context): readonly Fact[] {
  const known = new Set(asked.map(({ relation, subject }) => `${relation} ${subject}`));
  return world.sayings.filter(({ relation, subject }) => known.has(`${relation} ${subject}`));
}

function simple(context: Context, truth: boolean, negated: boolean): Draft {
  const chosen = context.random.pick(context.asked);
  const claim = { ...(truth === negated ? mistaken(context, chosen) : chosen), negated };
  return { text: say(context, claim), claims: [claim] };
}

function compound(context: Context, phrasings: Phrasings, truths: readonly boolean[]): Draft {
  const facts = context.random.sample(context.asked, truths.length);
  const claims = facts.map((each, index) => affirm(truths[index]! ? each : mistaken(context, each)));
  const [first, second] = claims.map((claim) => say(context, claim)) as [string, string];
  return { text: join(phrase(context, phrasings), context.world, first, second), claims };
}

/** Sentences within a sentence: `{A}` and `{a}` are the first with and without its capital, `{b}` the second. */
function join(template: string, world: World, first: string, second = ""): string {
  const clause = (sentence: string) => inside(sentence.replace(/\.$/, ""), world);
  return template.replace("{A}", first.replace(/\.$/, "")).replace("{a}", clause(first)).replace("{b}", clause(second));
}

/** A sentence's beginning in the middle of another: names keep their capital. */
function inside(sentence: string, world: World): string {
  const [word] = /^\w*/.exec(sentence)!;
  return world.kindOf(word) === undefined ? sentence.charAt(0).toLowerCase() + sentence.slice(1) : sentence;
}
