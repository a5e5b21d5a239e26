/** Learns the pocket tokenizer from training text and writes tokenizer.json and tokenizer_config.json into the model folder. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createWorld, data, DOCUMENT_SEPARATOR, pocketText } from "nibble-lab/data";
import { learnBytePairs, tokenizerJson } from "./byte-pairs.js";
import { CONTEXT, MODEL_FOLDER } from "./model.js";

const VOCABULARY = 2048;
const DOCUMENTS = 20_000;
/** Worlds that the model never meets: their names fill the vocabulary with parts of names, so that new names stay short. */
const OTHER_WORLDS = [2, 3, 4];
const DOCUMENTS_OF_OTHERS = 3000;

const specialTokens = [DOCUMENT_SEPARATOR];
const pairs = learnBytePairs(trainingText(), { vocabulary: VOCABULARY, specialTokens });
const config = {
  tokenizer_class: "PreTrainedTokenizerFast",
  bos_token: DOCUMENT_SEPARATOR,
  eos_token: DOCUMENT_SEPARATOR,
  add_bos_token: true,
  add_eos_token: false,
  clean_up_tokenization_spaces: false,
  model_max_length: CONTEXT,
};

function* trainingText(): Iterable<string> {
  yield* data.pocket.text("train", { documents: DOCUMENTS });
  for (const seed of OTHER_WORLDS) yield* pocketText(createWorld(seed), "train", { documents: DOCUMENTS_OF_OTHERS });
}

mkdirSync(MODEL_FOLDER, { recursive: true });
writeFileSync(
  join(MODEL_FOLDER, "tokenizer.json"),
  `${JSON.stringify(tokenizerJson(pairs, specialTokens), null, 1)}\n`,
);
writeFileSync(join(MODEL_FOLDER, "tokenizer_config.json"), `${JSON.stringify(config, null, 2)}\n`);
console.log(`${pairs.tokens.length} tokens from ${DOCUMENTS} documents: ${MODEL_FOLDER}`);
