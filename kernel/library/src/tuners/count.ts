import type { ModelConfig } from "../models/config.js";
import { decoderShapes } from "../models/decoder.js";
import { selectByName } from "../nn/select.js";

/** A tuner with what decides how many numbers it trains. */
export type CountOptions =
  | { readonly method: "full" }
  | { readonly method: "norm" }
  | { readonly method: "lora"; readonly rank: number; readonly targets?: "all-linear" | readonly string[] }
  | {
      readonly method: "peqa" | "qat";
      /** Inputs that share a scale. Default "channel". */
      readonly group?: number | "channel";
      readonly targets?: "all-linear" | readonly string[];
    };

/**
 * How many numbers would train, from a model's shapes alone: nothing is loaded.
 *
 *   full: all;  norm: the norms';  LoRA: Σ rank·(out + in);  PEQA: Σ out per channel, Σ out·in/group otherwise;  QAT: Σ out·in and
 *   PEQA's
 *
 * @throws {OptionError} for a target that fits no layer
 * @example
 * countTrainable(model.config, { method: "peqa" });
 */
export function countTrainable(config: ModelConfig, options: CountOptions): number {
  const shapes = [...decoderShapes(config)];
  const size = (of: readonly { readonly shape: readonly number[] }[]) =>
    of.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  if (options.method === "full" || options.method === "norm")
    return size(options.method === "full" ? shapes : shapes.filter(({ role }) => role === "norm"));
  const linears = shapes.flatMap(({ name, shape, role }): [string, readonly number[]][] =>
    name.startsWith("blocks.") && (role === "linear" || role === "residual")
      ? [[name.replace(/\.weight$/, ""), shape]]
      : [],
  );
  const { targets = "all-linear" } = options;
  const chosen = targets === "all-linear" ? linears : selectByName("countTrainable", "targets", linears, targets);
  return chosen.reduce((sum, [, [rows = 0, columns = 0]]) => sum + perLayer(options, rows, columns), 0);
}

function perLayer(options: Exclude<CountOptions, { method: "full" | "norm" }>, rows: number, columns: number): number {
  if (options.method === "lora") return options.rank * (rows + columns);
  const { method, group = "channel" } = options;
  const scales = group === "channel" ? rows : (rows * columns) / group;
  return method === "peqa" ? scales : scales + rows * columns;
}
