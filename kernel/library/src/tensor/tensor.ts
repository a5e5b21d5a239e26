import type { Category, DType, Handle, TypedArray } from "./dtype.js";
import { dtypeOf, dtypes, viewBytes } from "./dtype.js";
import { native } from "./native.js";
import { register, type Scoped } from "./scope.js";
import { net, Storage, type StorageClaim } from "./storage.js";
import { DisposedError, DTypeError, ShapeError } from "../errors.js";
import { display, formatBytes, inspect, type MimeBundle } from "../display.js";

/** The owner of tensors that nobody named. */
const UNNAMED = "tensor";

export interface TensorOptions {
  readonly dtype?: DType;
  readonly category?: Category;
  /** Who the memory panel names for these bytes. */
  readonly owner?: string;
  /** Where it is made: "cpu" (default), "gpu" or "gpu:N". */
  readonly device?: string;
}

/** What a tape hangs on its tensors; defined in autograd.ts. */
export interface TapeNode extends Scoped {
  readonly op: string;
}

/**
 * A block of numbers in native memory. Using a tensor does not consume it; whoever got it as a result owns it and disposes of it,
 * by hand, by `using`, or by the `scope` around.
 *
 * @example
 * using x = Tensor.from([1, 2, 3, 4], [2, 2]);
 * console.log(x.shape, await x.array());
 */
export class Tensor implements Scoped {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly device: string;
  /** The gradient of the last `backward` calls, added up; only on tensors with `requiresGrad` that no operation made. Owned by this tensor. */
  grad: Tensor | null = null;
  /** What made this tensor, where gradients flow through it. */
  node: TapeNode | null = null;
  private claim: StorageClaim | null;
  private trainable = false;

  /** @param bytes that come with it: none where another tensor has brought them */
  private constructor(
    storage: Storage,
    info: { shape: readonly number[]; dtype: DType; device: string },
    bytes: number,
  ) {
    this.shape = info.shape;
    this.dtype = info.dtype;
    this.device = info.device;
    this.claim = net.claim(this, storage, bytes);
    register(this);
  }

  /** Takes over a native handle. Only for src/tensor. */
  static adopt(handle: Handle): Tensor {
    const info = native.tensorInfo(handle);
    return new Tensor(new Storage(handle), info, info.bytes);
  }

  /**
   * Copies numbers into a new tensor.
   *
   * @param shape defaults to one dimension of the data's length
   * @throws {ShapeError} if the shape's product is not the data's length
   */
  static from(
    data: TypedArray | readonly number[],
    shape: readonly number[] = [data.length],
    options: TensorOptions = {},
  ): Tensor {
    const dtype = options.dtype ?? dtypeOf("Tensor.from", data);
    if (shape.reduce((a, b) => a * b, 1) !== data.length) {
      throw new ShapeError(
        "Tensor.from",
        `The data has ${data.length} numbers, the shape [${shape.join(", ")}] another count.`,
      );
    }
    const view = Array.isArray(data) ? convert(data as readonly number[], dtype) : (data as TypedArray);
    if (view.BYTES_PER_ELEMENT !== dtypes[dtype].bytes) {
      throw new DTypeError(
        "Tensor.from",
        `The array's elements have ${view.BYTES_PER_ELEMENT} bytes, ${dtype} has ${dtypes[dtype].bytes}.`,
      );
    }
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const { category = "activations", owner = UNNAMED, device } = options;
    return onDevice(Tensor.adopt(native.tensorFromBytes(bytes, dtype, [...shape], category, owner)), device);
  }

  /** All zeros; f32 unless `dtype` says otherwise. */
  static zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
    const { dtype = "f32", category = "activations", owner = UNNAMED, device } = options;
    return Tensor.adopt(native.tensorZeros([...shape], dtype, category, owner, device));
  }

  /** All the same value, f32. */
  static full(shape: readonly number[], value: number, options: Omit<TensorOptions, "dtype"> = {}): Tensor {
    const { category = "activations", owner = UNNAMED, device } = options;
    return Tensor.adopt(native.tensorFull([...shape], value, category, owner, device));
  }

  /** Normal with mean 0 and the given standard deviation, f32; the same seed gives the same numbers for any number of threads. */
  static randomNormal(
    shape: readonly number[],
    std: number,
    seed: number,
    options: Omit<TensorOptions, "dtype"> = {},
  ): Tensor {
    const { category = "activations", owner = UNNAMED, device } = options;
    return onDevice(Tensor.adopt(native.tensorRandomNormal([...shape], std, seed, category, owner)), device);
  }

  /** The native handle. Only for src/tensor. @throws {DisposedError} */
  get handle(): Handle {
    return this.live.handle;
  }
  /** How often the bytes were changed in place. */
  get version(): number {
    return this.live.version;
  }
  get disposed(): boolean {
    return this.claim === null;
  }
  /** True where another Tensor object holds the same bytes. */
  get shared(): boolean {
    return this.live.shared;
  }
  get size(): number {
    return this.shape.reduce((a, b) => a * b, 1);
  }
  get bytes(): number {
    return this.size * dtypes[this.dtype].bytes;
  }
  get category(): Category {
    return native.tensorInfo(this.handle).category;
  }
  get owner(): string {
    return native.tensorInfo(this.handle).owner;
  }

  /** True where `backward` will compute a gradient: set by the user, or because an input had it. */
  get requiresGrad(): boolean {
    return this.trainable || this.node !== null;
  }
  /**
   * Makes it a leaf that collects gradients. A tensor that shares its bytes (with another model) gets its own copy first,
   * since training writes in place.
   * @throws {DTypeError} unless f32
   */
  set requiresGrad(wanted: boolean) {
    if (wanted && this.dtype !== "f32") {
      throw new DTypeError("requiresGrad", `A ${this.dtype} tensor has no gradient. Allowed: f32.`);
    }
    if (wanted) this.own();
    this.trainable = wanted;
    if (!wanted) this.clearGrad();
  }

  /** Frees the gradient. */
  clearGrad(): void {
    this.grad?.dispose();
    this.grad = null;
  }

  /** Another tensor over the same bytes, with its own life and without a tape; a trainable tensor is copied instead. */
  share(): Tensor {
    return this.trainable ? Tensor.adopt(native.tensorCopy(this.handle, this.category, this.owner)) : this.alias();
  }

  /** Like `share`, also for trainable tensors: for what only reads. Only for src/tensor. */
  alias(): Tensor {
    return new Tensor(this.live.hold(), this, 0);
  }

  /** Makes it a leaf that collects gradients although it shares its bytes: for what only reads. Only for src/tensor. */
  asLeaf(): this {
    this.trainable = true;
    return this;
  }

  /** Notes that the bytes were written in place. Only for src/tensor. */
  touched(): void {
    this.live.version++;
  }

  /** The numbers, row-major; halves as their bits. Waits for the device without blocking. */
  async array(): Promise<TypedArray> {
    return viewBytes(await native.tensorRead(this.handle), this.dtype);
  }

  /** The numbers at once: blocks until the device is done. */
  arraySync(): TypedArray {
    return viewBytes(native.tensorReadSync(this.handle), this.dtype);
  }

  /** The number in a tensor of one element; blocks like `arraySync`. @throws {ShapeError} for any other size */
  item(): number {
    if (this.size !== 1) throw new ShapeError("item", `The shape is [${this.shape.join(", ")}]. Allowed: one element.`);
    return this.arraySync()[0]!;
  }

  /** Overwrites the numbers in place. @throws {ShapeError} if the byte length differs */
  write(data: TypedArray): void {
    native.tensorWrite(this.handle, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.touched();
  }

  /** Gives it bytes of its own where it shares them with another tensor, so that it can be written in place. Returns this. */
  own(): this {
    if (!this.live.shared) return this;
    const own = new Storage(native.tensorCopy(this.handle, this.category, this.owner));
    if (this.claim !== null) net.settle(this.claim);
    this.claim = net.claim(this, own, this.bytes);
    return this;
  }

  /** Names who owns the bytes, for the memory panel. Returns this. */
  label(category: Category, owner: string): this {
    native.tensorRelabel(this.handle, category, owner);
    return this;
  }

  /** Frees the bytes unless another tensor shares them, and the gradient. Twice is fine; any use afterwards throws DisposedError. */
  dispose(): void {
    if (this.claim === null) return;
    const { claim } = this;
    this.claim = null;
    net.settle(claim);
    this.clearGrad();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  leave(): void {
    this.dispose();
  }
  needs(): Iterable<Scoped> {
    const more: Scoped[] = [];
    if (this.node !== null) more.push(this.node);
    if (this.grad !== null) more.push(this.grad);
    return more;
  }

  toString(): string {
    const state = this.disposed ? ", disposed" : `, ${this.device}, ${formatBytes(this.bytes)}`;
    return `Tensor [${this.shape.join(", ")}] ${this.dtype}${state}${this.requiresGrad ? ", requires gradient" : ""}`;
  }
  [display](): MimeBundle {
    return { "text/plain": this.toString() };
  }
  [inspect](): string {
    return this.toString();
  }

  private get live(): Storage {
    if (this.claim !== null) return this.claim.held;
    throw new DisposedError(
      "tensor",
      `The tensor [${this.shape.join(", ")}] ${this.dtype} was disposed of. Use it before, or keep(…) it out of its scope.`,
    );
  }
}

/** The tensor itself where it is there already; otherwise its copy there, and the tensor is disposed of. */
export function onDevice(x: Tensor, device = "cpu"): Tensor {
  if (x.device === device) return x;
  try {
    return Tensor.adopt(native.tensorToDevice(x.handle, device));
  } finally {
    x.dispose();
  }
}

function convert(data: readonly number[], dtype: DType): TypedArray {
  if (dtype === "f16" || dtype === "bf16") {
    throw new DTypeError(
      "Tensor.from",
      `${dtype} cannot be made from plain numbers. Give f32 and cast, or a Uint16Array of bits.`,
    );
  }
  return dtypes[dtype].view.from(data);
}
