import type { ModelConfig } from "../models/config.js";
import { decoderShapes } from "../models/decoder.js";
import { selectByName } from "../nn/select.js";

/** A tuner with what decides how many numbers it trains. */
export type CountOptions =
  | { readonly method: "full" }
  | { readonly method: "lora"; readonly rank: number; readonly targets?: "all-linear" | readonly string[] }
  | {
      readonly method: "peqa";
      /** Inputs that share a scale. Default "channel". */
      readonly group?: number | "channel";
      readonly targets?: "all-linear" | readonly string[];
    };

/**
 * How many numbers would train, from a model's shapes alone: nothing is loaded.
 *
 *   full: all;  LoRA: Σ rank·(out + in);  PEQA: Σ out per channel, Σ out·in/group otherwise
 *
 * @throws {OptionError} for a target that fits no layer
 * @example
 * countTrainable(model.config, { method: "peqa" });
 */
export function countTrainable(config: ModelConfig, options: CountOptions): number {
  const shapes = [...decoderShapes(config)];
  if (options.method === "full") return shapes.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const linears = shapes.flatMap(({ name, shape, role }): [string, readonly number[]][] =>
    name.startsWith("blocks.") && (role === "linear" || role === "residual")
      ? [[name.replace(/\.weight$/, ""), shape]]
      : [],
  );
  const { targets = "all-linear" } = options;
  const chosen = targets === "all-linear" ? linears : selectByName("countTrainable", "targets", linears, targets);
  return chosen.reduce((sum, [, [rows = 0, columns = 0]]) => sum + perLayer(options, rows, columns), 0);
}

function perLayer(options: Exclude<CountOptions, { method: "full" }>, rows: number, columns: number): number {
  if (options.method === "lora") return options.rank * (rows + columns);
  const { group = "channel" } = options;
  return group === "channel" ? rows : (rows * columns) / group;
}
