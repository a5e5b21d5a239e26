import { adamw8bitStep, adamwStep, EIGHT_BIT_BLOCK } from "../../tensor/optimizers.js";
import { integer } from "../../options.js";
import { adamwRules, type AdamWOptions } from "./adamw.js";
import { defineOptimizer } from "./optimizer.js";

export interface AdamW8BitOptions extends AdamWOptions {
  /** Parameters of fewer numbers keep f32 moments. Default 4096, as in bitsandbytes. */
  readonly smallest8Bit?: number;
}

/**
 * AdamW whose moments take a byte each, in blocks of 256 with their own scale on dynamic maps (Dettmers et al. 2022): 2.03
 * instead of 8 bytes a number. The codes are the nearest ones, as bitsandbytes' CUDA kernels choose them.
 */
export const adamw8bit = defineOptimizer<AdamW8BitOptions>({
  name: "adamw8bit",
  rules: { ...adamwRules, smallest8Bit: integer({ from: 0, fallback: 4096 }) },
  states: (_, { shape, size }, { smallest8Bit }) => {
    if (size < smallest8Bit) return { first: { shape, dtype: "f32" }, second: { shape, dtype: "f32" } };
    const codes = { shape, dtype: "u8" } as const;
    const scales = { shape: [Math.ceil(size / EIGHT_BIT_BLOCK)], dtype: "f32" } as const;
    return { first: codes, firstScales: scales, second: codes, secondScales: scales };
  },
  move: (entries, update, options) => {
    const small = entries.filter(({ states }) => states.firstScales === undefined);
    const large = entries.filter(({ states }) => states.firstScales !== undefined);
    if (small.length > 0) adamwStep(small, update, options);
    if (large.length > 0) adamw8bitStep(large, update, options);
  },
});
