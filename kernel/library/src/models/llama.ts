import type { ModelConfig } from "./config.js";
import { readRopeScaling, writeRopeScaling } from "./rope-scaling.js";
import { FormatError, UnsupportedError } from "../errors.js";
import { shown } from "../options.js";

/** What a config.json holds. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** A checkpoint family: how its config and its tensor names map onto the decoder. */
export interface ModelFamily {
  /** @throws {FormatError} for missing or senseless fields · {UnsupportedError} for fields that ask for other mathematics */
  readonly readConfig: (raw: RawConfig, path: string) => ModelConfig;
  /** The config.json that `readConfig` reads back. */
  readonly writeConfig: (config: ModelConfig) => RawConfig;
  /** The file's name of a parameter of `decoderShapes`. */
  readonly fileName: (parameter: string) => string;
  /** Tensors of older files that hold nothing of their own. */
  readonly ignorable: (fileName: string, config: ModelConfig) => boolean;
}

const blockNames: Readonly<Record<string, string>> = {
  attention: "self_attn",
  attentionNorm: "input_layernorm",
  mlpNorm: "post_attention_layernorm",
  mlp: "mlp",
};

/** Llama (Touvron et al. 2023) and what shares its config and names. */
export const llama: ModelFamily = {
  readConfig(raw, path) {
    rejectUnsupported(raw);
    const read = (name: string, fallback?: number) => count(raw, name, path, fallback);
    const heads = read("num_attention_heads");
    const hiddenSize = read("hidden_size");
    const maxPositions = read("max_position_embeddings", 2048);
    const ropeScaling = readRopeScaling(raw, maxPositions, path);
    const config: ModelConfig = {
      modelType: "llama",
      vocabSize: read("vocab_size"),
      hiddenSize,
      intermediateSize: read("intermediate_size"),
      layers: read("num_hidden_layers"),
      heads,
      kvHeads: read("num_key_value_heads", heads),
      headDim: read("head_dim", hiddenSize / heads),
      maxPositions,
      normEpsilon: positive(raw.rms_norm_eps ?? 1e-6, "rms_norm_eps", path),
      ropeTheta: positive(ropeTheta(raw), "rope_theta", path),
      ...(ropeScaling && { ropeScaling }),
      tieEmbeddings: raw.tie_word_embeddings === true,
      attentionBias: raw.attention_bias === true,
      mlpBias: raw.mlp_bias === true,
      bosToken: tokens(raw.bos_token_id)[0] ?? null,
      eosTokens: tokens(raw.eos_token_id),
    };
    if (config.heads % config.kvHeads !== 0 || config.headDim % 2 !== 0) {
      const text = `${path}: ${heads} heads, ${config.kvHeads} key/value heads, ${config.headDim} numbers a head. The second must divide the first, the third be even.`;
      throw new FormatError("loadModel", text, { path });
    }
    return config;
  },

  writeConfig: (config) => ({
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeTheta,
    ...(config.ropeScaling && { rope_scaling: writeRopeScaling(config.ropeScaling) }),
    hidden_act: "silu",
    tie_word_embeddings: config.tieEmbeddings,
    attention_bias: config.attentionBias,
    mlp_bias: config.mlpBias,
    bos_token_id: config.bosToken,
    eos_token_id: config.eosTokens.length === 1 ? config.eosTokens[0] : config.eosTokens,
    torch_dtype: "float32",
  }),

  fileName(parameter) {
    if (parameter === "embed.weight") return "model.embed_tokens.weight";
    if (parameter === "finalNorm.weight") return "model.norm.weight";
    if (parameter === "head.weight") return "lm_head.weight";
    const [, layer, part, ...rest] = parameter.split(".");
    return ["model", "layers", layer, blockNames[part!], ...rest].join(".");
  },

  ignorable: (fileName, config) =>
    fileName.endsWith(".rotary_emb.inv_freq") || (config.tieEmbeddings && fileName === "lm_head.weight"),
};

/** Fields whose other values change what the model computes, and the values that do not. */
const plainValues: Readonly<Record<string, readonly unknown[]>> = {
  hidden_act: [undefined, "silu", "swish"],
  partial_rotary_factor: [undefined, null, 1],
  sliding_window: [undefined, null],
  quantization_config: [undefined, null],
};

function rejectUnsupported(raw: RawConfig): void {
  for (const [field, allowed] of Object.entries(plainValues)) {
    if (!allowed.includes(raw[field])) throw unsupported(field, raw[field], allowed);
  }
}

function unsupported(field: string, value: unknown, allowed: readonly unknown[]): UnsupportedError {
  const values = allowed.map((one) => (one === undefined ? "left out" : JSON.stringify(one))).join(", ");
  const came = typeof value === "object" ? JSON.stringify(value) : shown(value);
  return new UnsupportedError(
    "loadModel",
    `config.json has ${field} = ${came}. Supported for model_type "llama": ${values}.`,
    { field },
  );
}

/** Older files have rope_theta at the top, newer ones in rope_parameters. */
function ropeTheta(raw: RawConfig): unknown {
  return raw.rope_theta ?? (raw.rope_parameters as RawConfig | null | undefined)?.rope_theta ?? 10000;
}

function count(raw: RawConfig, name: string, path: string, fallback: number | undefined): number {
  const value = raw[name] ?? fallback;
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw new FormatError("loadModel", `${path}: ${name} is ${shown(value)}. Allowed: a whole number of at least 1.`, {
    path,
    field: name,
  });
}

function positive(value: unknown, name: string, path: string): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new FormatError("loadModel", `${path}: ${name} is ${shown(value)}. Allowed: a number above 0.`, {
    path,
    field: name,
  });
}

function tokens(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter((id): id is number => typeof id === "number");
}
