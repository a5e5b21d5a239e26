import { fileURLToPath } from "node:url";

/** Where the shipped model lives, seen from the built scripts. */
export const MODEL_FOLDER = fileURLToPath(new URL("../../model", import.meta.url));

/** Rows of training, and the longest sequence that the model takes: a few documents. */
export const CONTEXT = 256;

/** Widths are multiples of 64, so that no row straddles a block of NF4. */
export const ARCHITECTURE = {
  vocabSize: 2048,
  hiddenSize: 128,
  intermediateSize: 384,
  layers: 5,
  heads: 4,
  kvHeads: 4,
  maxPositions: CONTEXT,
};

/** The tokenizer of edition 2, which no shipped model uses yet. */
export const TOKENIZER_FOLDER = fileURLToPath(new URL("../tokenizer", import.meta.url));
