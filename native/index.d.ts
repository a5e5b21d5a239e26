/* The addon's surface. */

/** A tensor: index and generation in one safe integer. A stale handle throws `DisposedError`. */
export type Handle = number;
export type DType = "f32" | "f16" | "bf16" | "i32" | "u8";
/** What bytes are for; every allocation carries one. */
export type Category = "weights" | "scales" | "gradients" | "optimizer" | "activations" | "workspace" | "cache";

// ---- process ----
export interface EngineInfo { version: string; processor: string; isa: string; threads: number }
export function engineInfo(): EngineInfo;
export interface DeviceInfo { name: string; kind: "cpu" | "gpu"; description: string; software: boolean; memoryBytes: number }
/** "cpu", then "gpu", "gpu:1", … Asking creates the GPU instance. */
export function devices(): DeviceInfo[];
/** Process-wide: may be called from any thread (the kernel's supervisor thread calls it). Long loops poll it and throw `InterruptedError`. */
export function interrupt(): void;
export function clearInterrupt(): void;
export function isInterrupted(): boolean;

// ---- memory (process-wide, callable from any thread) ----
export interface OwnerBytes { owner: string; category: Category; device: string; bytes: number }
export interface MemoryStats {
  device: string;
  live: number; peak: number; limit: number;               // bytes; limit 0 = none
  liveByCategory: number[]; peakByCategory: number[];      // in the order of `categories()`; each category's own peak
  atPeakByCategory: number[];                              // composition at the moment of `peak`: adds up to it
  tensors: number;
}
export function categories(): Category[];
export function memoryStats(): MemoryStats[];              // one per device in use
export function memoryOwners(limit: number): OwnerBytes[]; // largest first
export interface MemoryEvent { sequence: number; timeMs: number; kind: "allocate" | "free"; category: Category; owner: string; bytes: number }
export function memoryEvents(sinceSequence: number): MemoryEvent[];  // from a ring of bounded length
export function resetPeakMemory(): void;
export function setMemoryLimit(bytes: number): void;       // 0 = none; OutOfMemoryError names the largest owners
export function liveTensors(): number;

// ---- tensors ----
export interface TensorInfo { shape: number[]; dtype: DType; device: string; category: Category; owner: string; bytes: number }
export function tensorFromBytes(bytes: Uint8Array, dtype: DType, shape: number[], category: Category, owner: string): Handle;
export function tensorZeros(shape: number[], dtype: DType, category: Category, owner: string): Handle;
export function tensorFull(shape: number[], value: number, category: Category, owner: string): Handle;              // f32
export function tensorRandomNormal(shape: number[], std: number, seed: number, category: Category, owner: string): Handle; // counter-based
export function tensorInfo(h: Handle): TensorInfo;
export function tensorRead(h: Handle): Promise<Uint8Array>;
export function tensorReadSync(h: Handle): Uint8Array;
export function tensorWrite(h: Handle, bytes: Uint8Array): void;   // same byte length
export function tensorDispose(h: Handle): void;                    // twice is fine; other stale handles throw
export function tensorReshape(h: Handle, shape: number[]): Handle; // a view that shares bytes
export function tensorCast(h: Handle, dtype: DType, category: Category, owner: string): Handle;
export function tensorCopy(h: Handle, category: Category, owner: string): Handle;
export function tensorToDevice(h: Handle, device: string): Handle; // "cpu" | "gpu" | "gpu:N"
export function tensorRelabel(h: Handle, category: Category, owner: string): void;
/** rows [start, end) of dimension 0, copied */
export function sliceRows(x: Handle, start: number, end: number): Handle;
export function gatherRows(x: Handle, rows: Handle): Handle;       // rows i32 [n]
export function concatRows(xs: Handle[]): Handle;
export function transpose(x: Handle): Handle;                      // [a,b] → [b,a]

// Every op below: f32 in and out unless said, results charged to "activations" of owner = op name (backward results to
// "gradients"), polls the interrupt flag, throws ShapeError/DTypeError/DisposedError/OutOfMemoryError/UnsupportedError.

// ---- elementwise ----
export function add(a: Handle, b: Handle): Handle;                 // same shape; also runs on "gpu"
export function multiply(a: Handle, b: Handle): Handle;
export function scale(a: Handle, factor: number): Handle;
export function addInPlace(target: Handle, b: Handle, alpha: number): void;  // target += alpha·b
export function scaleInPlace(target: Handle, factor: number): void;
export function addBias(x: Handle, bias: Handle): Handle;          // x [.., n] + bias [n]
export function sumRows(x: Handle): Handle;                        // [m, n] → [n]
export function sum(x: Handle): number;                            // fixed order, f64 accumulation
export function swigluForward(gate: Handle, up: Handle): Handle;   // silu(gate)·up
export interface SwigluGradients { gate: Handle; up: Handle }
export function swigluBackward(dy: Handle, gate: Handle, up: Handle): SwigluGradients;
export function softmax(x: Handle): Handle;                        // over the last dimension

// ---- matmul: C = alpha·op(A)·op(B) (+ C when `into` is given, in place, which is returned) ----
export interface MatmulOptions { transposeA?: boolean; transposeB?: boolean; alpha?: number; into?: Handle }
export function matmul(a: Handle, b: Handle, options?: MatmulOptions): Handle;   // A, B 2-D (leading dims folded into rows of A)

// ---- packed linear: weight [out, in] as codes ----
/** `group`: inputs that share a scale (0 = the whole row, "per channel"). NF4/FP4 blocks run over the flattened tensor, as in bitsandbytes.
 *  int: W = scale·(q − zeroPoint); codes row-major, each row padded to a byte, lowest bits first (int3: a little-endian bit stream).
 *  nf4: two codes a byte, even element in the high nibble. */
export interface PackedWeight {
  format: "int2" | "int3" | "int4" | "int8" | "nf4";
  rows: number; columns: number; group: number;
  codes: Handle;           // u8
  scales: Handle;          // f32 [rows, groups] for int; f32 [blocks] for nf4; u8 [blocks] for nf4 with double quantization
  zeroPoints?: Handle;     // f32 [rows, groups] for int (integer or not)
  nestedScales?: Handle;   // f32 [ceil(blocks/256)]
  nestedOffset?: number;
}
export function packedLinearForward(x: Handle, w: PackedWeight): Handle;              // x [.., in] → [.., out]
export function packedLinearBackwardInput(dy: Handle, w: PackedWeight): Handle;
/** Σ over tokens, [rows, groups]; dW never exists. int formats only. */
export function packedLinearBackwardScales(dy: Handle, x: Handle, w: PackedWeight): Handle;
/** Per channel only: dS = Σ_t dY·Y / s from the saved output (no bias in y). */
export function packedLinearBackwardScalesFromOutput(dy: Handle, y: Handle, scales: Handle): Handle;
export function dequantize(w: PackedWeight): Handle;                                  // f32 [rows, columns], "workspace"
export interface IntegerCodes { codes: Handle; scales: Handle; zeroPoints: Handle }
/** Asymmetric: range includes 0; scale = (max−min)/(2^bits−1), zeroPoint = round(−min/scale). Symmetric: zeroPoint = 2^(bits−1). Ties to even. */
export function quantizeInteger(w: Handle, bits: number, group: number, symmetric: boolean): IntegerCodes;
/** Codes for grids that are given (GPTQ, HQQ, …). */
export function packIntegers(q: Handle, bits: number): Handle;                        // u8 [rows, columns] values → packed codes
export function unpackIntegers(codes: Handle, rows: number, columns: number, bits: number): Handle;
export interface BlockCodes { codes: Handle; scales: Handle }
export function quantizeNf4(w: Handle, block: number): BlockCodes;                    // bytes equal to bitsandbytes'
export interface NestedScales { codes: Handle; scales: Handle; offset: number }
export function quantizeScalesNested(scales: Handle): NestedScales;                   // bitsandbytes' double quantization, blocks of 256

// ---- transformer ----
export function embeddingForward(ids: Handle, weight: Handle): Handle;                // ids i32 [n] → [n, d]
export function embeddingBackward(ids: Handle, dy: Handle, into: Handle): void;       // into [vocab, d] +=
export interface RmsNormResult { y: Handle; rstd: Handle }
export function rmsNormForward(x: Handle, weight: Handle, epsilon: number): RmsNormResult;
export interface RmsNormGradients { x: Handle; weight?: Handle }
export function rmsNormBackward(dy: Handle, x: Handle, weight: Handle, rstd: Handle, wantWeight: boolean): RmsNormGradients;
/** x [batch·length, heads·headDim], half-split pairs; positions offset, offset+1, …; inverse = the gradient. */
export interface RopeOptions { length: number; heads: number; theta: number; offset?: number; inverse?: boolean }
export function rope(x: Handle, options: RopeOptions): Handle;
/** q [batch·queries, heads·d], k and v [batch·keys, kvHeads·d]; causal with query i at position keys − queries + i; blockwise. */
export interface AttentionOptions { batch: number; heads: number; kvHeads: number; scale?: number }
export interface AttentionResult { y: Handle; logSumExp: Handle }                     // lse [batch, heads, queries]
export function attentionForward(q: Handle, k: Handle, v: Handle, options: AttentionOptions): AttentionResult;
export interface AttentionGradients { q: Handle; k: Handle; v: Handle }
export function attentionBackward(dy: Handle, q: Handle, k: Handle, v: Handle, y: Handle, logSumExp: Handle, options: AttentionOptions): AttentionGradients;
/** Key/value cache: writes rows of x [batch·n, width] at `position` of cache [batch, capacity, width]; read gives [batch·length, width]. */
export function cacheWrite(cache: Handle, x: Handle, position: number): void;
export function cacheRead(cache: Handle, length: number): Handle;

// ---- linear + cross-entropy, chunked over tokens: logits never exist whole ----
export interface CrossEntropyOptions { ignoreIndex?: number; wantInput?: boolean; wantWeight?: boolean; wantTokenLosses?: boolean; gradientScale?: number }
/** loss = Σ over counted tokens (not the mean); gradients are of `gradientScale`·loss. */
export interface CrossEntropyResult { loss: number; tokens: number; tokenLosses?: Handle; input?: Handle; weight?: Handle }
export function linearCrossEntropy(x: Handle, weight: Handle, targets: Handle, options?: CrossEntropyOptions): CrossEntropyResult;

// ---- optimizer ----
export interface AdamWOptions { learningRate: number; beta1: number; beta2: number; epsilon: number; weightDecay: number; step: number; gradientScale?: number }
export function adamwStep(parameters: Handle[], gradients: Handle[], first: Handle[], second: Handle[], options: AdamWOptions): void;  // in place
export function globalNorm(gradients: Handle[]): number;

// ---- linear algebra ----
export interface PcaResult { mean: Handle; components: Handle; variances: Handle; totalVariance: number }
/** x [n, d] → mean [d], components [k, d] by falling variance (sign: largest |entry| positive), variances [k]. Via the smaller of the two Gram matrices, f64. */
export function pcaFit(x: Handle, k: number): PcaResult;
export function pcaProject(x: Handle, mean: Handle, components: Handle): Handle;      // [n, k]
