import { FormatError, UnsupportedError } from "../errors.js";
import { shown } from "../options.js";
import type { RopeScaling } from "../tensor/ops.js";

type Raw = Readonly<Record<string, unknown>>;

/** Our name of each number that a config's scaling may hold. */
const fields = {
  original_max_position_embeddings: "originalPositions",
  low_freq_factor: "lowFrequencyFactor",
  high_freq_factor: "highFrequencyFactor",
  beta_fast: "betaFast",
  beta_slow: "betaSlow",
  attention_factor: "attentionFactor",
} as const;
/** The numbers that each kind needs beside its factor. */
const needed: Readonly<Record<RopeScaling["kind"], readonly (keyof typeof fields)[]>> = {
  linear: [],
  dynamic: [],
  llama3: ["low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
  yarn: ["original_max_position_embeddings"],
};

/**
 * How a config.json stretches rotary frequencies: `rope_scaling` of older files, `rope_parameters` of newer ones.
 *
 * @returns undefined where it does not
 * @throws {UnsupportedError} for a kind that is not computed · {FormatError} for a missing or senseless number
 */
export function readRopeScaling(config: Raw, maxPositions: number, path: string): RopeScaling | undefined {
  const [field, raw] = config.rope_scaling
    ? ["rope_scaling", config.rope_scaling]
    : ["rope_parameters", config.rope_parameters];
  const scaling = (raw ?? {}) as Raw;
  const kind = scaling.rope_type ?? scaling.type ?? "default";
  if (kind === "default") return undefined;
  if (!isKind(kind)) {
    const kinds = ["default", ...Object.keys(needed)].map((one) => JSON.stringify(one)).join(", ");
    throw new UnsupportedError(
      "loadModel",
      `config.json has ${field}.rope_type = ${shown(kind)}. Supported: ${kinds}.`,
      {
        field,
      },
    );
  }
  const number = (name: string): number => {
    const value = scaling[name];
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw new FormatError("loadModel", `${path}: ${field}.${name} is ${shown(value)}. Allowed: a number above 0.`, {
      path,
      field: name,
    });
  };
  for (const name of needed[kind]) number(name);
  const given = Object.entries(fields).filter(([name]) => scaling[name] !== undefined && scaling[name] !== null);
  const numbers = Object.fromEntries(given.map(([name, ours]) => [ours, number(name)]));
  return {
    kind,
    factor: number("factor"),
    ...(kind === "dynamic" && { originalPositions: maxPositions }),
    ...numbers,
    ...(kind === "yarn" && typeof scaling.truncate === "boolean" && { truncate: scaling.truncate }),
    ...yarnAttention(kind, scaling, number),
  };
}

/** DeepSeek's two factors of the attention, where a file has both and not their result. */
function yarnAttention(kind: string, scaling: Raw, number: (name: string) => number): { attentionFactor?: number } {
  if (kind !== "yarn" || scaling.attention_factor || !scaling.mscale || !scaling.mscale_all_dim) return {};
  const scale = (times: number) => 0.1 * times * Math.log(Math.max(1, number("factor"))) + 1;
  return { attentionFactor: scale(number("mscale")) / scale(number("mscale_all_dim")) };
}

/** The `rope_scaling` that `readRopeScaling` reads back. */
export function writeRopeScaling(scaling: RopeScaling): Raw {
  const numbers = Object.entries(fields).filter(([, ours]) => scaling[ours] !== undefined);
  return {
    rope_type: scaling.kind,
    factor: scaling.factor,
    ...Object.fromEntries(numbers.map(([name, ours]) => [name, scaling[ours]])),
    ...(scaling.truncate !== undefined && { truncate: scaling.truncate }),
  };
}

function isKind(kind: unknown): kind is RopeScaling["kind"] {
  return typeof kind === "string" && kind in needed;
}
