import { adamwStep, muonStep } from "../../tensor/optimizers.js";
import { choice, decay, flag } from "../../options.js";
import { adamwRules, type AdamWOptions } from "./adamw.js";
import { defineOptimizer } from "./optimizer.js";

export interface MuonOptions extends AdamWOptions {
  /** Default 0.95. */
  readonly momentum?: number;
  /** Look ahead by one more momentum. Default true. */
  readonly nesterov?: boolean;
  /**
   * How a step's size follows the matrix's. "match_rms_adamw" (default): 0.2·√max(rows, columns), as large as AdamW's, whose
   * learning rates then serve (Liu et al. 2025); "original": √max(1, rows / columns) (Jordan et al. 2024).
   */
  readonly adjust?: "match_rms_adamw" | "original";
}

/** Embedding and output layer are tables, not maps: they train better by AdamW (Jordan et al. 2024). */
const TABLES = /^(?:embed|head)\./;

/**
 * Muon (Jordan et al. 2024): a matrix moves by its momentum, made nearly orthogonal by five Newton–Schulz iterations.
 * Vectors, embedding and output layer move by AdamW with the options of that name.
 */
export const muon = defineOptimizer<MuonOptions>({
  name: "muon",
  rules: {
    ...adamwRules,
    momentum: decay(0.95),
    nesterov: flag({ fallback: true }),
    adjust: choice(["match_rms_adamw", "original"], { fallback: "match_rms_adamw" }),
  },
  states: (name, { shape }) => {
    const state = { shape, dtype: "f32" } as const;
    return shape.length === 2 && !TABLES.test(name) ? { momentum: state } : { first: state, second: state };
  },
  move: (entries, update, options) => {
    const matrices = entries.filter(({ states }) => states.momentum !== undefined);
    const others = entries.filter(({ states }) => states.momentum === undefined);
    if (matrices.length > 0) muonStep(matrices, update, options);
    if (others.length > 0) adamwStep(others, update, options);
  },
});
