import type { ModelView } from "./view.js";
import { escapeHtml, formatBytes, formatCount, tableBundle, type MimeBundle } from "../display.js";
import type { Linear } from "../nn/linear.js";

/** What a model shows of itself: size, bytes by dtype, and how each kind of layer is stored. */
export function modelCard(model: ModelView): MimeBundle {
  const { config } = model;
  const shape = `${config.modelType}, ${config.layers} layers, width ${config.hiddenSize}, ${config.heads} heads, vocabulary ${config.vocabSize}`;
  const size = `${formatCount(parameterCount(model))} parameters, ${byteLine(model)}`;
  const table = tableBundle({
    title: `${model.name} · ${model.label}`,
    columns: ["layer", "count", "stored as", "bytes"],
    rows: [...kinds(model)],
    note: `${shape} · ${size}`,
  });
  return {
    "text/plain": table["text/plain"],
    "text/html": `<div title="${escapeHtml(shape)}">${String(table["text/html"])}</div>`,
  };
}

/** The numbers that the model stands for: a packed weight counts its rows times its columns. Adapters count as what they add. */
export function parameterCount(model: ModelView): number {
  const linears = [...model.network.linears()].map(([, linear]) => linear);
  const packed = new Set(linears.flatMap((linear) => [...linear.weight.namedTensors()].map(([, tensor]) => tensor)));
  const plain = [...model.network.namedTensors()].filter(([, tensor]) => !packed.has(tensor));
  return (
    linears.reduce((sum, { rows, columns }) => sum + rows * columns, 0) +
    plain.reduce((sum, [, tensor]) => sum + tensor.size, 0)
  );
}

function byteLine(model: ModelView): string {
  const byDtype = new Map<string, number>();
  for (const [, { dtype, bytes }] of model.network.namedTensors())
    byDtype.set(dtype, (byDtype.get(dtype) ?? 0) + bytes);
  const total = [...byDtype.values()].reduce((a, b) => a + b, 0);
  return `${formatBytes(total)} (${[...byDtype].map(([dtype, bytes]) => `${dtype} ${formatBytes(bytes)}`).join(", ")})`;
}

/** One row per kind of layer and storage: `blocks.3.mlp.up_proj` is of the kind `mlp.up_proj`. */
function* kinds(model: ModelView): Generator<[string, number, string, string]> {
  const { embed, head } = model.network;
  yield [
    head === null ? "embed (also the output layer)" : "embed",
    1,
    embed.weight.dtype,
    formatBytes(embed.weight.bytes),
  ];
  const groups = new Map<string, { kind: string; stored: string; count: number; bytes: number }>();
  for (const [name, linear] of model.network.linears()) {
    const kind = name.replace(/^blocks\.\d+\./, "");
    const stored = storedAs(linear);
    const group = groups.get(`${kind} ${stored}`) ?? { kind, stored, count: 0, bytes: 0 };
    groups.set(`${kind} ${stored}`, { ...group, count: group.count + 1, bytes: group.bytes + linear.weight.bytes });
  }
  for (const { kind, stored, count, bytes } of groups.values()) yield [kind, count, stored, formatBytes(bytes)];
  if (head !== null) yield ["head", 1, head.weight.description, formatBytes(head.weight.bytes)];
}

function storedAs({ weight, adapter }: Linear): string {
  return adapter === null ? weight.description : `${weight.description} + ${adapter.description}`;
}
