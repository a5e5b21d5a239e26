import { affirm, fact, type Context, type Draft } from "./document.js";
import { withArticle, type Split } from "./relations.js";
import type { Claim, Fact, World } from "./world.js";

/** A story is a list of beats, each told in one of a few ways. What it says about the world is taken from the world. */
type Plot = readonly (readonly string[])[];

const WEATHER = "rainy|sunny|windy|foggy|cold|warm".split("|");
const THINGS = "key|ring|letter|lantern|map|drum|blanket|bell".split("|");
const SPOTS = "well|bridge|gate|oak|mill|wall".split("|");

const TRAIN_PLOTS: readonly Plot[] = [
  [
    [
      "On a {weather} morning, {p} from {home} lost a {thing}.",
      "One {weather} day, {p} of {home} could not find the {thing}.",
    ],
    ["{p} looked under the {spot} and asked {q} for help.", "{p} went to {q} and asked about the {thing}."],
    ['"I have not seen the {thing}," said {q}.', '"Where did you leave it?" asked {q}.'],
    ["But the {pet} of {p} ran to the {spot} and began to dig.", "Then the {pet} that {p} keeps ran to the {spot}."],
    ["There lay the {thing}.", "Behind the {spot} lay the {thing}."],
    ["{p} thanked {q} and gave the {pet} some {petFood}.", "{p} was glad, and the {pet} got {petFood}."],
  ],
  [
    ["{p} is {aJob} in {home}.", "In {home} there is {aJob} called {p}."],
    ["One {weather} evening, {q} came to the door with a {thing}.", "One day {q} from {otherHome} came to visit {p}."],
    ['"Can you help me?" asked {q}.', '"This {thing} is broken," said {q}.'],
    ["{p} worked all night, for {he} is a good {job}.", "{p} sat down and worked until the morning."],
    [
      "In the morning {q} paid with {otherGood} from {otherHome}.",
      "{q} was happy and gave {p} {otherGood} from {otherHome}.",
    ],
    ["Since then {p} and {q} are friends.", "After that, {q} often came back to see {p}."],
  ],
  [
    ["{p} fell ill with {illness} and had {sign}.", "One {weather} week, {p} caught {illness} and had {sign}."],
    ["{q} came from {otherHome} to look after {p}.", "{q} heard of it in {otherHome} and hurried to {p}."],
    [
      '"You need {medicine}," said {q}, "for that treats {illness}."',
      '"{medicine} helps against {illness}," said {q}.',
    ],
    ["{q} made {medicine} from {medicinePart}.", "So {q} took {medicinePart} and made {medicine}."],
    ["After three days {p} was well again.", "Soon {p} could walk about in {home} again."],
    ["{p} thanked {q} and never forgot {medicine}.", '"Thank you, {q}," said {p}.'],
  ],
  [
    [
      "On the way from {home} to {otherHome}, {p} met a {animal}.",
      "{p} was walking near {home} when a {animal} came along.",
    ],
    ["It was {animalColour}, as every {animal} is.", "The {animal} was {animalColour} and very hungry."],
    ["{p} had {animalFood} in the bag.", "{p} looked for {animalFood}, for that is what it eats."],
    [
      "The {animal} ate the {animalFood} and followed {p} to {otherHome}.",
      "After the meal the {animal} led {p} to a hidden {spot}.",
    ],
    ["In {otherHome}, {q} laughed and opened the gate.", "{q} saw them come and laughed."],
    ['"Who is your friend?" asked {q}.', '"That is a fine {animal}," said {q}.'],
  ],
  [
    [
      "{inventor} showed the {invention} at the market of {inventorHome}.",
      "In {inventorHome}, {inventor} brought out the new {invention}.",
    ],
    ['"With the {invention} you can {purpose}," said {inventor}.', "Everybody wanted to see how to {purpose} with it."],
    ["{q} from {otherHome} did not believe it.", "{q} shook the head and laughed."],
    ["Then {inventor} began to {purpose}.", "But {inventor} turned the handle, and it could {purpose}."],
    ["{q} was surprised and asked for the price.", '"I was wrong," said {q}.'],
    [
      "That evening {q} carried the {invention} home to {otherHome}.",
      "From that day, {q} told everyone about {inventor}.",
    ],
  ],
];

const HELD_OUT_PLOTS: Readonly<Record<Exclude<Split, "train">, Plot>> = {
  validation: [
    ["{p} wanted to swim across the river near {home}."],
    ["It was a {weather} day, and {q} from {otherHome} came along."],
    ["Half way, {p} grew tired and called for {q}."],
    ["{q} threw a rope, and the {pet} of {p} pulled."],
    ["At last {p} sat on the shore, and {q} made tea."],
  ],
  test: [
    ["{q} from {otherHome} invited {p} to a feast."],
    ["{p} left {home} on a {weather} morning and took the {pet} along."],
    ["The {pet} ate {petFood} all the way."],
    ['"You brought a guest," said {q} to {p}.'],
    ["{p} and {q} danced until the {weather} night was over."],
  ],
};

/** A story of five or six sentences in which the same few names come back. */
export function writeStory(context: Context): Draft {
  const { random, wording } = context;
  const plot = wording === "train" ? random.pick(TRAIN_PLOTS) : HELD_OUT_PLOTS[wording];
  const cast = castStory(context);
  const claims = new Map<string, Claim>();
  const sentences = plot.map((beat) =>
    random.pick(beat).replace(/\{(\w+)\}/g, (_, slot: string) => {
      const part = cast[slot];
      if (part === undefined) throw new RangeError(`[story] no slot "${slot}".`);
      for (const each of part.facts) claims.set(`${each.relation} ${each.subject}`, affirm(each));
      return part.text;
    }),
  );
  const text = sentences.map((sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1)).join(" ");
  return { text, claims: [...claims.values()], rejected: [] };
}

/** The text of a slot, and the facts that a sentence with this slot relies on. */
interface Part {
  readonly text: string;
  readonly facts: readonly Fact[];
}

function castStory({ world, random }: Context): Readonly<Record<string, Part>> {
  const invention = random.pick(world.names("invention"));
  const inventor = fact(world, invention, "inventedBy");
  const [p, q] = random.sample(
    world.names("person").filter((name) => name !== inventor.value),
    2,
  ) as [string, string];
  const animal = random.pick(world.names("animal"));
  const medicine = random.pick(world.names("medicine"));
  const treats = fact(world, medicine, "treats");
  const plain = (text: string): Part => ({ text, facts: [] });
  return {
    p: plain(p),
    q: plain(q),
    he: plain(world.pronoun(p)),
    weather: plain(random.pick(WEATHER)),
    thing: plain(random.pick(THINGS)),
    spot: plain(random.pick(SPOTS)),
    ...personParts(world, p),
    otherHome: valuePart(fact(world, q, "livesIn")),
    otherGood: chained(world, fact(world, q, "livesIn"), "makes"),
    animal: plain(animal),
    animalColour: valuePart(fact(world, animal, "hasColour")),
    animalFood: valuePart(fact(world, animal, "eats")),
    medicine: plain(medicine),
    medicinePart: valuePart(fact(world, medicine, "madeFrom")),
    illness: valuePart(treats),
    sign: chained(world, treats, "causes"),
    invention: plain(invention),
    inventor: valuePart(inventor),
    inventorHome: chained(world, inventor, "livesIn"),
    purpose: valuePart(fact(world, invention, "usedTo")),
  };
}

function personParts(world: World, person: string): Record<string, Part> {
  const job = fact(world, person, "worksAs");
  const pet = fact(world, person, "keeps");
  return {
    home: valuePart(fact(world, person, "livesIn")),
    job: valuePart(job),
    aJob: { text: withArticle(job.value), facts: [job] },
    pet: valuePart(pet),
    petFood: chained(world, pet, "eats"),
  };
}

function valuePart(each: Fact): Part {
  return { text: each.value, facts: [each] };
}

/** The value of a second relation, applied to the value of a first. */
function chained(world: World, first: Fact, relation: Fact["relation"]): Part {
  const second = fact(world, first.value, relation);
  return { text: second.value, facts: [first, second] };
}
