import { affirm, ask, factsAbout, mistaken, say, type Context, type Draft } from "./document.js";
import { ENTITY_KINDS } from "./names.js";
import { fill, relations } from "./relations.js";
import type { Claim, Fact } from "./world.js";

/** Three to six true statements, mostly about one kind of thing. */
export function writeFacts(context: Context): Draft {
  const { random, world } = context;
  const kind = random.pick(ENTITY_KINDS);
  const mixed = random.chance(0.25);
  const pool = mixed ? world.facts : world.facts.filter((each) => relations[each.relation].subject === kind);
  const claims = random.sample(pool, random.between(3, 6)).map(affirm);
  return { text: claims.map((claim) => say(context, claim)).join(" "), claims, rejected: [] };
}

/** Everything about one name, then about a name that came up in it. */
export function writeDescription(context: Context): Draft {
  const { random, world } = context;
  const subject = random.pick(world.names(random.pick(ENTITY_KINDS)));
  const own = random.shuffle(factsAbout(world, subject));
  const related = random.shuffle(own.map((each) => each.value).filter((value) => world.kindOf(value) !== undefined));
  const others = related.slice(0, 1).flatMap((name) => random.shuffle(factsAbout(world, name)));
  const claims = [...own, ...others].map(affirm);
  return { text: claims.map((claim) => say(context, claim)).join(" "), claims, rejected: [] };
}

/** Two to four denials, each followed by what holds instead. */
export function writeNegations(context: Context): Draft {
  const { random, world } = context;
  const claims: Claim[] = random.sample(world.facts, random.between(2, 4)).flatMap((each) => {
    const denial = { ...mistaken(context, each), negated: true };
    return random.chance(0.75) ? [denial, affirm(each)] : [affirm(each), denial];
  });
  return { text: claims.map((claim) => say(context, claim)).join(" "), claims, rejected: [] };
}

/** Two to four questions, answered in one line each: open ones by the fact, yes-or-no ones by the word and the fact. */
export function writeQuestions(context: Context): Draft {
  const { random } = context;
  const claims: Claim[] = [];
  const lines = random.sample(context.asked, random.between(2, 4)).map((each) => {
    if (random.chance(0.3)) return check(context, each, claims);
    claims.push(affirm(each));
    const short = random.chance(0.5);
    const answer = short ? `${shortAnswer(each)}.` : say(context, affirm(each));
    return `Question: ${ask(context, each)}\nAnswer: ${answer}`;
  });
  return { text: lines.join("\n"), claims, rejected: [] };
}

/** Two to four claims, each true or false with equal chance, affirmed or negated, then judged, then put right. */
export function writeVerdicts(context: Context): Draft {
  const { random, world } = context;
  const claims: Claim[] = [];
  const rejected: Claim[] = [];
  const lines = random.sample(context.asked, random.between(2, 4)).map((each) => {
    const quoted = { ...(random.chance(0.5) ? each : mistaken(context, each)), negated: random.chance(0.3) };
    const holds = world.isTrue(quoted);
    (holds ? claims : rejected).push(quoted);
    claims.push(affirm(each));
    return `Claim: ${say(context, quoted)}\nVerdict: ${holds ? "true" : "false"}. ${say(context, affirm(each))}`;
  });
  return { text: lines.join("\n"), claims, rejected };
}

function check(context: Context, truth: Fact, claims: Claim[]): string {
  const { random } = context;
  const asked = random.chance(0.5) ? truth : mistaken(context, truth);
  const holds = asked.value === truth.value;
  claims.push(affirm(truth));
  if (!holds) claims.push({ ...asked, negated: true });
  const question = fill(relations[truth.relation].check, asked.subject, asked.value);
  return `Question: ${question}\nAnswer: ${holds ? "Yes" : "No"}. ${say(context, affirm(truth))}`;
}

function shortAnswer(each: Fact): string {
  return each.value.charAt(0).toUpperCase() + each.value.slice(1);
}
