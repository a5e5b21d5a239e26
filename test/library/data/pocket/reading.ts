import {
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
