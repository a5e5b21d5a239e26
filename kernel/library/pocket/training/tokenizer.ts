/**
 * Learns a pocket tokenizer from training text and writes tokenizer.json and tokenizer_config.json:
 *
 *     node kernel/library/pocket/training/lib/tokenizer.js [--edition 1|2]
 *
 * Edition 1 goes into the folder of the shipped model, edition 2 beside this script until a model has learned it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  CHAT_TEMPLATE,
  CHAT_TOKENS,
  createWorld,
  DOCUMENT_SEPARATOR,
  pocketText,
  strangersOf,
  type Edition,
} from "nibble-lab/data";
import { learnBytePairs, tokenizerJson } from "./byte-pairs.js";
import { CONTEXT, MODEL_FOLDER, TOKENIZER_FOLDER } from "./model.js";

/** What is learned for each edition, and where it goes. */
const tokenizers = {
  1: { folder: MODEL_FOLDER, vocabulary: 2048, specialTokens: [DOCUMENT_SEPARATOR], config: {} },
  2: {
    folder: TOKENIZER_FOLDER,
    vocabulary: 3072,
    specialTokens: [DOCUMENT_SEPARATOR, ...Object.values(CHAT_TOKENS)],
    config: { additional_special_tokens: Object.values(CHAT_TOKENS), chat_template: CHAT_TEMPLATE },
  },
} as const satisfies Record<Edition, object>;

const DOCUMENTS = 20_000;
/** Worlds that the model never meets: their names fill the vocabulary with parts of names, so that new names stay short. */
const OTHER_WORLDS = [2, 3, 4];
const DOCUMENTS_OF_OTHERS = 3000;

const { values } = parseArgs({ options: { edition: { type: "string", default: "1" } } });
const edition: Edition = values.edition === "2" ? 2 : 1;
const { folder, vocabulary, specialTokens, config } = tokenizers[edition];
const pairs = learnBytePairs(trainingText(), { vocabulary, specialTokens });
const settings = {
  tokenizer_class: "PreTrainedTokenizerFast",
  bos_token: DOCUMENT_SEPARATOR,
  eos_token: DOCUMENT_SEPARATOR,
  ...config,
  add_bos_token: true,
  add_eos_token: false,
  clean_up_tokenization_spaces: false,
  model_max_length: CONTEXT,
};

/** Special tokens are no text to learn from: they are cut out where a text has them. */
function* trainingText(): Iterable<string> {
  const world = createWorld(1, { edition });
  // In edition 1 other worlds may have any names; in edition 2 none of a stranger, whose names are for tests.
  const avoid = edition === 1 ? [] : [strangersOf(world)];
  const others = OTHER_WORLDS.map((seed) => createWorld(seed, { edition, avoid }));
  const texts = [
    pocketText(world, "train", { documents: DOCUMENTS }),
    ...others.map((other) => pocketText(other, "train", { documents: DOCUMENTS_OF_OTHERS })),
  ];
  for (const text of texts) for (const document of text) yield* document.split(/<\|\w+\|>/);
}

mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "tokenizer.json"), `${JSON.stringify(tokenizerJson(pairs, specialTokens), null, 1)}\n`);
writeFileSync(join(folder, "tokenizer_config.json"), `${JSON.stringify(settings, null, 1)}\n`);
console.log(`${pairs.tokens.length} tokens of edition ${edition}: ${folder}`);
