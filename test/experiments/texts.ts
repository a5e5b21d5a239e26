import { readFileSync } from "node:fs";
import { data, type LanguageModel } from "nibble-lab";
import { createWorld, pocketText } from "nibble-lab/data";

/** Token ids, no document in two of them. */
export interface Texts {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly test: Int32Array;
  readonly calibration: Int32Array;
}
/** How many ids are wanted of each. */
export type Sizes = { readonly [K in keyof Texts]: number };

/** Stories from a JSON array of strings: test from its beginning, then validation, calibration, training. */
export function storiesFrom(model: LanguageModel, path: string, sizes: Sizes): Texts {
  return split(model, JSON.parse(readFileSync(path, "utf8")) as readonly string[], sizes);
}

/** One plain text, cut into documents at its empty lines. */
export function plainTextFrom(model: LanguageModel, path: string, sizes: Sizes): Texts {
  return split(model, readFileSync(path, "utf8").split(/\n\s*\n/), sizes);
}

/** English about an invented world; the shipped model learned that of seed 1. */
export function pocketTexts(model: LanguageModel, world: number, sizes: Sizes): Texts {
  const invented = world === 1 ? data.pocket.world : createWorld(world);
  return {
    test: take(model, pocketText(invented, "test"), sizes.test),
    validation: take(model, pocketText(invented, "validation"), sizes.validation),
    calibration: take(model, pocketText(invented, "train", { documents: 2000, seed: 7 }), sizes.calibration),
    train: take(model, pocketText(invented, "train", { documents: 50_000, seed: 11 }), sizes.train),
  };
}

function split(model: LanguageModel, documents: readonly string[], sizes: Sizes): Texts {
  const rest = documents[Symbol.iterator]();
  const unread: Iterable<string> = { [Symbol.iterator]: () => ({ next: () => rest.next() }) };
  const test = take(model, unread, sizes.test);
  const validation = take(model, unread, sizes.validation);
  const calibration = take(model, unread, sizes.calibration);
  return { test, validation, calibration, train: take(model, unread, sizes.train) };
}

/** The first `count` ids; every document begins with BOS where the model has one. */
function take(model: LanguageModel, documents: Iterable<string>, count: number): Int32Array {
  const ids: number[] = [];
  for (const document of documents) {
    ids.push(...model.tokenizer.encode(document));
    if (ids.length >= count) break;
  }
  return Int32Array.from(ids.slice(0, count));
}
