import {
  commonSense,
  ENTITY_KINDS,
  RELATION_NAMES,
  relations,
  SPLITS,
  type Claim,
  type Relation,
  type World,
} from "nibble-lab/data";

interface Reading {
  readonly pattern: RegExp;
  readonly relation: (typeof RELATION_NAMES)[number];
  readonly negated: boolean;
}

/** Reads statements back by matching them against every phrasing of every relation: the writer's code is not asked. */
export function statementReader(world: World): (sentence: string) => Claim[] {
  const readings = RELATION_NAMES.flatMap((relation) =>
    [false, true].flatMap((negated) => {
      const phrasings = negated ? relations[relation].negations : relations[relation].statements;
      return SPLITS.flatMap((split) => phrasings[split]).map((phrasing): Reading => {
        return { pattern: patternOf(phrasing, relations[relation], world), relation, negated };
      });
    }),
  );
  return (sentence) =>
    readings.flatMap(({ pattern, relation, negated }) => {
      const groups = pattern.exec(sentence)?.groups;
      return groups === undefined ? [] : [{ subject: groups["s"]!, relation, value: groups["v"]!, negated }];
    });
}

/** Matches a whole sentence in one phrasing, whatever its subject and value. */
export function patternOf(phrasing: string, relation: Relation, world: World): RegExp {
  const values = typeof relation.value === "string" ? world.names(relation.value) : relation.value;
  const escaped = phrasing.replace(/[.?]/g, "\\$&");
  const source = escaped
    .replace("{s}", `(?<s>${world.names(relation.subject).join("|")})`)
    .replace("{a v}", `an? (?<v>${values.join("|")})`)
    .replace("{v}", `(?<v>${values.join("|")})`);
  return new RegExp(`^${source}$`, "i");
}

export function sentences(text: string): string[] {
  return text.split(/(?<=[.?])\s+/);
}

export function allNames(world: World): string[] {
  return ENTITY_KINDS.flatMap((kind) => world.names(kind));
}

/** What a question asks about, read in the same way. */
export function questionReader(world: World): (question: string) => { subject: string; relation: string } | undefined {
  const readings = RELATION_NAMES.flatMap((relation) => {
    const { questions, check } = relations[relation];
    const all = [check, ...SPLITS.flatMap((split) => questions[split])];
    return all.map((phrasing) => ({ relation, pattern: patternOf(phrasing, relations[relation], world) }));
  });
  return (question) => {
    for (const { relation, pattern } of readings) {
      const subject = pattern.exec(question)?.groups?.["s"];
      if (subject !== undefined) return { subject, relation };
    }
    return undefined;
  };
}

const CONJUNCTIONS = [
  /^It holds that (.+) and that (.+)\.$/,
  /^Both are so: (.+), and (.+)\.$/,
  /^Not only this holds: (.+); but also that (.+)\.$/,
  /^(.+); moreover, (.+)\.$/,
  /^(.+), and (.+)\.$/,
];
const DISJUNCTIONS = [
  /^Either one or both hold: (.+), or (.+)\.$/,
  /^At least one is so: (.+), or (.+)\.$/,
  /^If it does not hold that (.+), then (.+)\.$/,
  /^One of the two is right, or both: (.+); (.+)\.$/,
  /^(.+), or (.+), or both\.$/,
];
const REMARKS =
  /^(?:Everybody knows: |It is well known that |Nobody doubts that |Even a child can tell you that |Ask anyone: |One need not be wise to see that )?(.+)$/;

/** The truth of a statement of any kind, worked out from the words and the world alone; undefined where it cannot be read. */
export function truthReader(world: World): (statement: string) => boolean | undefined {
  const read = statementReader(world);
  const simple = (sentence: string): boolean | undefined => {
    const claims = read(sentence);
    return claims.length === 0 ? undefined : claims.every((claim) => world.isTrue(claim));
  };
  const parts = (patterns: readonly RegExp[], statement: string) =>
    patterns
      .map((pattern) =>
        pattern
          .exec(statement)
          ?.slice(1)
          .map((part) => simple(`${part}.`)),
      )
      .find((truths) => truths !== undefined);
  return (statement) => {
    const whole = simple(statement);
    if (whole !== undefined) return whole;
    const both = parts(CONJUNCTIONS, statement);
    if (both !== undefined) return both.includes(undefined) ? undefined : both.every((truth) => truth);
    const either = parts(DISJUNCTIONS, statement);
    if (either !== undefined) return either.includes(undefined) ? undefined : either.some((truth) => truth);
    const remark = REMARKS.exec(statement)![1]!.toLowerCase();
    const says = (values: "right" | "wrong") =>
      commonSense.some((each) => each.sentence.replace("{v}", each[values]).toLowerCase() === remark);
    return says("right") ? true : says("wrong") ? false : undefined;
  };
}
