import { toDevice } from "../tensor/kernels.js";
import { Tensor } from "../tensor/tensor.js";

/** Something in a module that holds tensors without being a layer: a weight in some storage format, an adapter. */
export interface TensorHolder {
  /** Its tensors by name relative to it; "" is the holder's own name. */
  namedTensors(): Iterable<[string, Tensor]>;
  /** The same over shared bytes (trainable tensors are copied), with its own life. */
  share(shared: Sharing): TensorHolder;
  dispose(): void;
}

/** Remembers what was shared already, so that tied tensors stay tied. */
export class Sharing {
  private readonly tensors = new Map<Tensor, Tensor>();

  /** @param device where the twins are: those of tensors elsewhere are copies; default: with the originals */
  constructor(private readonly device?: string) {}

  tensor(original: Tensor): Tensor {
    let copy = this.tensors.get(original);
    if (copy === undefined) {
      const { device = original.device } = this;
      copy = original.device === device ? original.share() : toDevice(original, device);
      copy.requiresGrad = original.requiresGrad;
      this.tensors.set(original, copy);
    }
    return copy;
  }
}

type Part = Tensor | Module | TensorHolder;

/**
 * A layer or a model: its own properties that are tensors, holders, modules, or arrays of them, are its parts, named by property and index
 * (`blocks.3.attention.q_proj.weight`). Tensors in a module belong to it.
 */
export abstract class Module {
  /** Every tensor once, by dotted name; a tied tensor appears under its first name. */
  *namedTensors(): Generator<[string, Tensor]> {
    const seen = new Set<Tensor>();
    for (const [name, tensor] of walkTensors(this, "")) {
      if (seen.has(tensor)) continue;
      seen.add(tensor);
      yield [name, tensor];
    }
  }

  /** The tensors that can train (f32), by dotted name. */
  *namedParameters(): Generator<[string, Tensor]> {
    for (const entry of this.namedTensors()) if (entry[1].dtype === "f32") yield entry;
  }

  /** The tensors that do train. */
  trainableParameters(): Map<string, Tensor> {
    return new Map([...this.namedTensors()].filter(([, tensor]) => tensor.requiresGrad));
  }

  /** Itself under "" and every module below, by dotted name. */
  *namedModules(prefix = ""): Generator<[string, Module]> {
    yield [prefix, this];
    for (const [name, part] of partsOf(this))
      if (part instanceof Module) yield* part.namedModules(joined(prefix, name));
  }

  /** Turns `requiresGrad` off everywhere; tuners then turn on what they train. */
  freeze(): void {
    for (const [, tensor] of this.namedTensors()) if (tensor.requiresGrad) tensor.requiresGrad = false;
  }

  /** A module over shared bytes: disposing of one leaves the other whole, training one leaves the other's numbers alone. */
  share(shared = new Sharing()): this {
    const copy = Object.create(Object.getPrototypeOf(this) as object) as Record<string, unknown>;
    for (const [key, value] of Object.entries(this)) copy[key] = sharedValue(value, shared);
    return copy as unknown as this;
  }

  dispose(): void {
    for (const [, part] of partsOf(this)) part.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function* partsOf(module: Module): Generator<[string, Part]> {
  for (const [key, value] of Object.entries(module)) {
    if (isPart(value)) yield [key, value];
    else if (Array.isArray(value)) {
      for (const [index, entry] of value.entries()) if (isPart(entry)) yield [`${key}.${index}`, entry];
    }
  }
}

function* walkTensors(module: Module, prefix: string): Generator<[string, Tensor]> {
  for (const [name, part] of partsOf(module)) {
    const path = joined(prefix, name);
    if (part instanceof Tensor) yield [path, part];
    else if (part instanceof Module) yield* walkTensors(part, path);
    else for (const [inner, tensor] of part.namedTensors()) yield [joined(path, inner), tensor];
  }
}

function sharedValue(value: unknown, shared: Sharing): unknown {
  if (value instanceof Tensor) return shared.tensor(value);
  if (value instanceof Module || isHolder(value)) return value.share(shared);
  return Array.isArray(value) ? value.map((entry) => sharedValue(entry, shared)) : value;
}

function isPart(value: unknown): value is Part {
  return value instanceof Tensor || value instanceof Module || isHolder(value);
}

function isHolder(value: unknown): value is TensorHolder {
  return (
    typeof value === "object" && value !== null && "namedTensors" in value && "share" in value && "dispose" in value
  );
}

function joined(prefix: string, name: string): string {
  return prefix === "" || name === "" ? prefix + name : `${prefix}.${name}`;
}
