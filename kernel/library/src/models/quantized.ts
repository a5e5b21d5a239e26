import type { RawConfig } from "./llama.js";
import { FormatError, UnsupportedError } from "../errors.js";
import { shown } from "../options.js";
import { QuantizationReport } from "../quantization/report.js";

/** `quantization_config.quant_method` of models whose packed weights `saveModel` wrote, and the version of their layout. */
export const QUANT_METHOD = "nibble-lab";
export const QUANT_VERSION = 1;

/** What config.json says about packed weights. */
export interface StoredQuantization {
  /** Of the model. */
  readonly label: string;
  readonly report: QuantizationReport | null;
  /** An entry for each packed weight, by its name in the file. */
  readonly layers: Readonly<Record<string, unknown>>;
}

/**
 * Takes our `quantization_config` out of a config; one of another method stays in, for the family to refuse.
 *
 * @throws {UnsupportedError} for a newer version · {FormatError} for entries that are not there
 */
export function splitQuantization(
  raw: RawConfig,
  path: string,
): { readonly quantized: StoredQuantization | null; readonly plain: RawConfig } {
  const { quantization_config: given, ...plain } = raw;
  if (!isObject(given) || given.quant_method !== QUANT_METHOD) return { quantized: null, plain: raw };
  const { version, label, layers, report } = given;
  if (version !== QUANT_VERSION) {
    const text = `${path} has packed weights of version ${shown(version)}. Supported: ${QUANT_VERSION}. Install a newer nibble-lab, or save the model again.`;
    throw new UnsupportedError("loadModel", text, { version });
  }
  if (!isObject(layers) || typeof label !== "string") {
    const text = `${path}: quantization_config has layers ${shown(layers)}, label ${shown(label)}. Expected an object and a string.`;
    throw new FormatError("loadModel", text, { path });
  }
  return { quantized: { label, layers, report: isObject(report) ? restored(report) : null }, plain };
}

/** The report as it was shown when the model was quantized; its fields are its own. */
function restored(report: Readonly<Record<string, unknown>>): QuantizationReport {
  return Object.assign(Object.create(QuantizationReport.prototype) as QuantizationReport, report);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
