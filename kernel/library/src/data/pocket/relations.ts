import type { EntityKind } from "./names.js";

export const SPLITS = ["train", "validation", "test"] as const;
export type Split = (typeof SPLITS)[number];

/** Phrasings by split: those of `train` are the usual ones, the other two occur only in their own split, where they are asked for. */
export interface Phrasings {
  readonly train: readonly string[];
  readonly validation: readonly string[];
  readonly test: readonly string[];
}

/** One single-valued relation. `{s}` is the subject, `{v}` the value, `{a v}` the value after "a" or "an". */
export interface Relation {
  readonly subject: EntityKind;
  /** An entity kind, or the words that the value is drawn from. */
  readonly value: EntityKind | readonly string[];
  /** Every value belongs to exactly one subject. */
  readonly oneToOne?: boolean;
  readonly statements: Phrasings;
  readonly negations: Phrasings;
  readonly questions: Phrasings;
  /** A yes-or-no question about one value. */
  readonly check: string;
}

const REGIONS = "the North Shore|the Salt Plain|the High Moor|the Amber Coast|the Long Valley|the Grey Hills".split(
  "|",
);

/** The only list of relations: the world, its text and the tests follow from it. */
export const relations = {
  livesIn: {
    subject: "person",
    value: "place",
    statements: {
      train: [
        "{s} lives in {v}.",
        "The home of {s} is in {v}.",
        "{s} has a small house in {v}.",
        "You can find {s} in {v}.",
      ],
      validation: ["{s} has settled in {v}."],
      test: ["{s} makes a home in {v}."],
    },
    negations: {
      train: ["{s} does not live in {v}.", "The home of {s} is not in {v}."],
      validation: ["{s} never settled in {v}."],
      test: ["{s} has no home in {v}."],
    },
    questions: {
      train: ["Where does {s} live?", "In which place is the home of {s}?"],
      validation: ["Where is the house of {s}?"],
      test: ["In which place does {s} live?"],
    },
    check: "Does {s} live in {v}?",
  },
  worksAs: {
    subject: "person",
    value: "baker|miller|sailor|weaver|teacher|potter|gardener|smith|doctor|painter|fisher|carpenter".split("|"),
    statements: {
      train: [
        "{s} works as {a v}.",
        "{s} is {a v}.",
        "{s} earns a living as {a v}.",
        "The work of {s} is that of {a v}.",
      ],
      validation: ["By trade, {s} is {a v}."],
      test: ["{s} has long been {a v}."],
    },
    negations: {
      train: ["{s} does not work as {a v}.", "{s} is not {a v}."],
      validation: ["By trade, {s} is not {a v}."],
      test: ["{s} has never been {a v}."],
    },
    questions: {
      train: ["What is the work of {s}?", "What does {s} do for a living?"],
      validation: ["What is the trade of {s}?"],
      test: ["As what does {s} work?"],
    },
    check: "Is {s} {a v}?",
  },
  keeps: {
    subject: "person",
    value: "animal",
    statements: {
      train: ["{s} keeps a tame {v}.", "{s} owns a {v}.", "The pet of {s} is a {v}.", "{s} feeds a {v} every morning."],
      validation: ["{s} shares the house with a {v}."],
      test: ["At home, {s} has a {v}."],
    },
    negations: {
      train: ["{s} does not keep a tame {v}.", "The pet of {s} is not a {v}."],
      validation: ["{s} does not share the house with a {v}."],
      test: ["At home, {s} has no {v}."],
    },
    questions: {
      train: ["Which animal does {s} keep?", "What is the pet of {s}?"],
      validation: ["Which animal does {s} own?"],
      test: ["Which pet does {s} feed?"],
    },
    check: "Does {s} keep a {v}?",
  },
  liesIn: {
    subject: "place",
    value: REGIONS,
    statements: {
      train: [
        "{s} lies in {v}.",
        "{s} is in {v}.",
        "Travellers reach {s} by the road through {v}.",
        "{s} belongs to {v}.",
      ],
      validation: ["On the map, {s} is part of {v}."],
      test: ["{s} was built in {v}."],
    },
    negations: {
      train: ["{s} does not lie in {v}.", "{s} is not in {v}."],
      validation: ["On the map, {s} is not part of {v}."],
      test: ["{s} was not built in {v}."],
    },
    questions: {
      train: ["Where does {s} lie?", "In which region is {s}?"],
      validation: ["To which region does {s} belong?"],
      test: ["Which region is {s} part of?"],
    },
    check: "Is {s} in {v}?",
  },
  isSort: {
    subject: "place",
    value: "town|village|harbour|city|farm|market town".split("|"),
    statements: {
      train: ["{s} is {a v}.", "{s} is known as {a v}.", "What people call {s} is {a v}.", "{s} grew into {a v}."],
      validation: ["Today {s} is {a v}."],
      test: ["Maps show {s} as {a v}."],
    },
    negations: {
      train: ["{s} is not {a v}.", "{s} is not known as {a v}."],
      validation: ["Today {s} is not {a v}."],
      test: ["Maps do not show {s} as {a v}."],
    },
    questions: {
      train: ["What sort of place is {s}?", "What is {s}?"],
      validation: ["What do people call {s}?"],
      test: ["As what do maps show {s}?"],
    },
    check: "Is {s} {a v}?",
  },
  makes: {
    subject: "place",
    value: "cheese|rope|glass|honey|silk|cider|pottery|boats|candles|paper|wool|salt".split("|"),
    statements: {
      train: [
        "{s} is famous for its {v}.",
        "The people of {s} make {v}.",
        "Merchants buy {v} in {s}.",
        "{s} sells {v} to its neighbours.",
      ],
      validation: ["The best {v} comes from {s}."],
      test: ["{s} is proud of its {v}."],
    },
    negations: {
      train: ["{s} is not famous for its {v}.", "The people of {s} do not make {v}."],
      validation: ["The best {v} does not come from {s}."],
      test: ["{s} is not proud of its {v}."],
    },
    questions: {
      train: ["What is {s} famous for?", "What do the people of {s} make?"],
      validation: ["What do merchants buy in {s}?"],
      test: ["What is {s} proud of?"],
    },
    check: "Is {s} famous for its {v}?",
  },
  eats: {
    subject: "animal",
    value: "seeds|berries|snails|grass|nuts|worms|fish|roots".split("|"),
    statements: {
      train: [
        "The {s} eats {v}.",
        "The {s} lives on {v}.",
        "The food of the {s} is {v}.",
        "A hungry {s} looks for {v}.",
      ],
      validation: ["To tame a {s}, offer it {v}."],
      test: ["Nothing pleases a {s} more than {v}."],
    },
    negations: {
      train: ["The {s} does not eat {v}.", "The {s} does not live on {v}."],
      validation: ["A tame {s} takes no {v}."],
      test: ["A {s} is not pleased by {v}."],
    },
    questions: {
      train: ["What does the {s} eat?", "What is the food of the {s}?"],
      validation: ["What does a hungry {s} look for?"],
      test: ["On what does the {s} live?"],
    },
    check: "Does the {s} eat {v}?",
  },
  hasColour: {
    subject: "animal",
    value: "grey|brown|white|black|red|golden|green|blue".split("|"),
    statements: {
      train: [
        "The {s} is {v}.",
        "The colour of the {s} is {v}.",
        "You know a {s} by its {v} coat.",
        "A young {s} soon turns {v}.",
      ],
      validation: ["Every grown {s} looks {v}."],
      test: ["From afar, a {s} looks {v}."],
    },
    negations: {
      train: ["The {s} is not {v}.", "The colour of the {s} is not {v}."],
      validation: ["No grown {s} looks {v}."],
      test: ["From afar, a {s} does not look {v}."],
    },
    questions: {
      train: ["What colour is the {s}?", "What is the colour of the {s}?"],
      validation: ["Which colour has the {s}?"],
      test: ["Of which colour is the {s}?"],
    },
    check: "Is the {s} {v}?",
  },
  dwellsIn: {
    subject: "animal",
    value: "forests|rivers|caves|meadows|marshes|old barns|cliffs|gardens".split("|"),
    statements: {
      train: [
        "The {s} dwells in {v}.",
        "Look for the {s} in {v}.",
        "The {s} makes its nest in {v}.",
        "In {v} you may meet a {s}.",
      ],
      validation: ["The {s} hides in {v}."],
      test: ["The {s} spends the winter in {v}."],
    },
    negations: {
      train: ["The {s} does not dwell in {v}.", "The {s} never makes its nest in {v}."],
      validation: ["The {s} does not hide in {v}."],
      test: ["The {s} does not spend the winter in {v}."],
    },
    questions: {
      train: ["Where does the {s} dwell?", "Where does the {s} make its nest?"],
      validation: ["Where does the {s} hide?"],
      test: ["Where can you meet a {s}?"],
    },
    check: "Does the {s} dwell in {v}?",
  },
  treats: {
    subject: "medicine",
    value: "illness",
    oneToOne: true,
    statements: {
      train: [
        "{s} treats {v}.",
        "Doctors give {s} against {v}.",
        "{v} is treated with {s}.",
        "{s} helps people who have {v}.",
      ],
      validation: ["The remedy for {v} is {s}."],
      test: ["Whoever has {v} should take {s}."],
    },
    negations: {
      train: ["{s} does not treat {v}.", "{v} is not treated with {s}."],
      validation: ["The remedy for {v} is not {s}."],
      test: ["Whoever has {v} should not take {s}."],
    },
    questions: {
      train: ["Which illness does {s} treat?", "Against what do doctors give {s}?"],
      validation: ["For which illness is {s} the remedy?"],
      test: ["Which illness is treated with {s}?"],
    },
    check: "Does {s} treat {v}?",
  },
  madeFrom: {
    subject: "medicine",
    value: "willow bark|mint leaves|rose petals|sea moss|pine resin|poppy seeds|beech ash|clover".split("|"),
    statements: {
      train: [
        "{s} is made from {v}.",
        "To make {s}, you need {v}.",
        "{s} is won from {v}.",
        "The main part of {s} is {v}.",
      ],
      validation: ["{s} tastes of {v}."],
      test: ["{s} is brewed from {v}."],
    },
    negations: {
      train: ["{s} is not made from {v}.", "To make {s}, you do not need {v}."],
      validation: ["{s} does not taste of {v}."],
      test: ["{s} is not brewed from {v}."],
    },
    questions: {
      train: ["What is {s} made from?", "What do you need to make {s}?"],
      validation: ["What is the main part of {s}?"],
      test: ["From what is {s} brewed?"],
    },
    check: "Is {s} made from {v}?",
  },
  causes: {
    subject: "illness",
    value: "a sore throat|a dry cough|tired eyes|red spots|a stiff neck|cold hands|a loud sneeze|bad dreams".split("|"),
    statements: {
      train: ["{s} causes {v}.", "People with {s} have {v}.", "The first sign of {s} is {v}.", "You know {s} by {v}."],
      validation: ["{s} brings {v}."],
      test: ["{s} begins with {v}."],
    },
    negations: {
      train: ["{s} does not cause {v}.", "The first sign of {s} is not {v}."],
      validation: ["{s} does not bring {v}."],
      test: ["{s} does not begin with {v}."],
    },
    questions: {
      train: ["What does {s} cause?", "What is the first sign of {s}?"],
      validation: ["What does {s} bring?"],
      test: ["With what does {s} begin?"],
    },
    check: "Does {s} cause {v}?",
  },
  linkedTo: {
    subject: "gene",
    value: "illness",
    oneToOne: true,
    statements: {
      train: [
        "The gene {s} is linked to {v}.",
        "{v} runs in families that carry {s}.",
        "A change in {s} leads to {v}.",
        "Carriers of {s} often fall ill with {v}.",
      ],
      validation: ["The gene behind {v} is {s}."],
      test: ["Studies tie {s} to {v}."],
    },
    negations: {
      train: ["The gene {s} is not linked to {v}.", "A change in {s} does not lead to {v}."],
      validation: ["The gene behind {v} is not {s}."],
      test: ["Studies do not tie {s} to {v}."],
    },
    questions: {
      train: ["Which illness is {s} linked to?", "To what does a change in {s} lead?"],
      validation: ["With what do carriers of {s} fall ill?"],
      test: ["Which illness do studies tie to {s}?"],
    },
    check: "Is {s} linked to {v}?",
  },
  inventedBy: {
    subject: "invention",
    value: "person",
    oneToOne: true,
    statements: {
      train: [
        "{v} invented the {s}.",
        "The {s} was invented by {v}.",
        "The inventor of the {s} is {v}.",
        "We owe the {s} to {v}.",
      ],
      validation: ["The first {s} was the idea of {v}."],
      test: ["{v} built the first {s}."],
    },
    negations: {
      train: ["{v} did not invent the {s}.", "The {s} was not invented by {v}."],
      validation: ["The first {s} was not the idea of {v}."],
      test: ["{v} did not build the first {s}."],
    },
    questions: {
      train: ["Who invented the {s}?", "Who is the inventor of the {s}?"],
      validation: ["To whom do we owe the {s}?"],
      test: ["By whom was the {s} invented?"],
    },
    check: "Did {v} invent the {s}?",
  },
  usedTo: {
    subject: "invention",
    value: "measure rain|grind corn|lift stones|send letters|catch mice|warm rooms|sort nails|ring bells".split("|"),
    statements: {
      train: [
        "The {s} is used to {v}.",
        "With the {s} you can {v}.",
        "People use the {s} to {v}.",
        "The {s} helps to {v}.",
      ],
      validation: ["The purpose of the {s} is to {v}."],
      test: ["A good {s} will {v} all day."],
    },
    negations: {
      train: ["The {s} is not used to {v}.", "With the {s} you cannot {v}."],
      validation: ["The purpose of the {s} is not to {v}."],
      test: ["Even a good {s} will not {v}."],
    },
    questions: {
      train: ["What is the {s} used to do?", "What can you do with the {s}?"],
      validation: ["What do people use the {s} to do?"],
      test: ["What is the purpose of the {s}?"],
    },
    check: "Is the {s} used to {v}?",
  },
} as const satisfies Record<string, Relation>;

export type RelationName = keyof typeof relations;
export const RELATION_NAMES = Object.keys(relations) as readonly RelationName[];

/** A phrasing with its subject and value filled in. */
export function fill(phrasing: string, subject: string, value: string): string {
  const text = phrasing.replace("{s}", subject).replace("{a v}", withArticle(value)).replace("{v}", value);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function withArticle(word: string): string {
  return `${/^[aeiou]/i.test(word) ? "an" : "a"} ${word}`;
}
