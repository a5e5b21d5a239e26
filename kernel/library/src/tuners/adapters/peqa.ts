import { FormatError, UnsupportedError } from "../../errors.js";
import type { LanguageModel } from "../../models/model.js";
import { PackedWeight } from "../../quantization/packed-weight.js";
import { ScaleAdapter, scaleFloor, type ScaleChange } from "../../quantization/scale-adapter.js";
import { Adapter, type LayerAdapter } from "./adapter.js";
import { expectTensor, type AdapterFiles, type LoadedAdapter } from "./format.js";
import { peqa } from "../peqa.js";

const PARTS = { delta: "delta", scales: "scales", zeroPoints: "zero_points" } as const;

/** What PEQA trained, and the hash of the codes that it was trained for. */
export function writePeqa(
  model: LanguageModel,
  layers: ReadonlyMap<string, LayerAdapter>,
): Pick<AdapterFiles, "config" | "tensors"> {
  const relative = [...layers.values()].every(({ scales }) => scales!.change.delta !== undefined);
  const config = {
    peft_type: "PEQA",
    base_model_name_or_path: model.name,
    inference_mode: true,
    parametrization: relative ? "relative" : "absolute",
    codes_sha256: model.codesHash(),
  };
  const tensors = new Map([...layers].map(([name, { scales }]) => [name, new Map(scales!.namedTensors())]));
  return { config, tensors };
}

export function readPeqa(model: LanguageModel, files: AdapterFiles): LoadedAdapter {
  const { config, tensors, folder } = files;
  const linears = new Map(model.linears());
  const layers = new Map<string, LayerAdapter>();
  for (const [layer, parts] of tensors) {
    const { weight } = linears.get(layer)!;
    if (!(weight instanceof PackedWeight) || weight.zeroPoints === undefined) {
      const text = `${folder} changes the scales of integer codes, but ${layer} is stored as ${weight.description}. Load it onto the quantized model that it was made for.`;
      throw new UnsupportedError("loadAdapter", text, { layer });
    }
    const change: Record<string, unknown> = {};
    for (const [name, part] of Object.entries(PARTS)) {
      if (parts.has(part)) change[name] = expectTensor(files, layer, part, weight.scales.shape);
    }
    const unknown = [...parts.keys()].find((part) => !Object.values<string>(PARTS).includes(part));
    if (unknown !== undefined)
      throw new FormatError(
        "loadAdapter",
        `${folder} has "${unknown}" of ${layer}. Known: ${Object.values(PARTS).join(", ")}.`,
        { folder },
      );
    layers.set(layer, { beside: null, scales: new ScaleAdapter(change as ScaleChange, scaleFloor(weight.scales)) });
  }
  if (layers.size === 0) throw new FormatError("loadAdapter", `${folder} holds no tensors.`, { folder });
  if (config.codes_sha256 !== model.codesHash()) {
    const text = `${folder} was trained for other codes than this model's. Load the quantized model that it was made for, or quantize in the same way.`;
    throw new FormatError("loadAdapter", text, { folder, codes: config.codes_sha256 });
  }
  return {
    adapter: new Adapter(layers),
    method: "peqa",
    learningRate: peqa.learningRate({
      parametrization: config.parametrization === "absolute" ? "absolute" : "relative",
    }),
  };
}
