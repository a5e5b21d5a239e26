import { join } from "node:path";
import { FormatError, UnsupportedError } from "../../errors.js";
import type { LanguageModel } from "../../models/model.js";
import { shown } from "../../options.js";
import { Adapter, type LayerAdapter } from "./adapter.js";
import { expectTensor, moduleName, type AdapterFiles, type LoadedAdapter } from "./format.js";
import { lora } from "../lora.js";
import { LoraAdapter } from "../lora-adapter.js";

const A = "lora_A.weight";
const B = "lora_B.weight";

/** LoRA as peft writes it; layers of another rank or alpha stand in its patterns. */
export function writeLora(
  model: LanguageModel,
  layers: ReadonlyMap<string, LayerAdapter>,
): Pick<AdapterFiles, "config" | "tensors"> {
  const adapters = new Map([...layers].map(([name, { beside }]) => [name, beside as LoraAdapter]));
  const first = [...adapters.values()][0]!;
  const { rank, alpha, rankStabilized } = first;
  const other = (value: (adapter: LoraAdapter) => number, common: number) =>
    Object.fromEntries(
      [...adapters]
        .filter(([, adapter]) => value(adapter) !== common)
        .map(([name, adapter]) => [moduleName(model, name), value(adapter)]),
    );
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: model.name,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    use_rslora: rankStabilized,
    rank_pattern: other((adapter) => adapter.rank, rank),
    alpha_pattern: other((adapter) => adapter.alpha, alpha),
    target_modules: targets(model, new Set(adapters.keys())),
    lora_dropout: first.dropout,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
  };
  const tensors = new Map(
    [...adapters].map(([name, { a, b }]) => [
      name,
      new Map([
        [A, a],
        [B, b],
      ]),
    ]),
  );
  return { config, tensors };
}

/** Last parts of names where these say enough ("q_proj"), else whole names. */
function targets(model: LanguageModel, chosen: ReadonlySet<string>): string[] {
  const last = (name: string) => name.split(".").at(-1)!;
  const parts = new Set([...chosen].map(last));
  const named = [...model.linears()].filter(([name]) => parts.has(last(name)));
  return named.length === chosen.size ? [...parts] : [...chosen].map((name) => moduleName(model, name));
}

/** Fields of adapter_config.json that would change what is computed, and the values that do not. */
const plainValues: Readonly<Record<string, readonly unknown[]>> = {
  use_dora: [false],
  use_qalora: [false],
  use_bdlora: [false, null],
  lora_bias: [false],
  bias: ["none"],
  fan_in_fan_out: [false],
  layer_replication: [null],
  alora_invocation_tokens: [null],
  trainable_token_indices: [null],
  target_parameters: [null],
  arrow_config: [null],
  kasa_config: [null],
  monteclora_config: [null],
  velora_config: [null],
};

export function readLora(model: LanguageModel, files: AdapterFiles): LoadedAdapter {
  const { config, folder } = files;
  for (const [field, allowed] of Object.entries(plainValues)) {
    if (config[field] === undefined || allowed.includes(config[field])) continue;
    throw unsupported(folder, field, config[field]);
  }
  const saved = config.modules_to_save;
  if (Array.isArray(saved) && saved.length > 0) throw unsupported(folder, "modules_to_save", saved);
  const rankStabilized = config.use_rslora === true;
  const dropout = typeof config.lora_dropout === "number" ? config.lora_dropout : 0;
  const linears = new Map(model.linears());
  const layers = new Map<string, LayerAdapter>();
  for (const layer of files.tensors.keys()) {
    const { rows, columns } = linears.get(layer)!;
    const a = expectTensor(files, layer, A, [null, columns]);
    const b = expectTensor(files, layer, B, [rows, a.shape[0]!]);
    for (const part of files.tensors.get(layer)!.keys()) if (part !== A && part !== B) throw unsupported(folder, part);
    const module = moduleName(model, layer);
    const rank = numberFor(files, "r", "rank_pattern", module);
    if (rank !== a.shape[0]) {
      const text = `${folder}: ${A} of ${layer} has rank ${a.shape[0]}, adapter_config.json says ${rank}.`;
      throw new FormatError("loadAdapter", text, { folder, layer });
    }
    const alpha = numberFor(files, "lora_alpha", "alpha_pattern", module);
    layers.set(layer, { beside: new LoraAdapter(a, b, { alpha, rankStabilized, dropout }), scales: null });
  }
  if (layers.size === 0) throw new FormatError("loadAdapter", `${folder} holds no tensors.`, { folder });
  return { adapter: new Adapter(layers), method: "lora", learningRate: lora.learningRate({}) };
}

/** A module's own value from a pattern (a name, its last parts, or a regular expression for them), else the common one. */
function numberFor({ config, folder }: AdapterFiles, field: string, patterns: string, module: string): number {
  const own = Object.entries((config[patterns] ?? {}) as Record<string, unknown>).find(([pattern]) =>
    new RegExp(`(^|.*\\.)(${pattern})$`).test(module),
  );
  const value = own?.[1] ?? config[field];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  const text = `${join(folder, "adapter_config.json")}: ${field} is ${shown(value)}. Expected a number.`;
  throw new FormatError("loadAdapter", text, { folder, field });
}

function unsupported(folder: string, field: string, value?: unknown): UnsupportedError {
  const what = value === undefined ? `"${field}"` : `${field} = ${JSON.stringify(value)}`;
  return new UnsupportedError(
    "loadAdapter",
    `${folder} has ${what}. Supported: plain LoRA on linear layers, also rank-stabilized.`,
    {
      field,
    },
  );
}
