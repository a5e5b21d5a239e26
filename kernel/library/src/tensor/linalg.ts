import { checkOptions, choice, custom, flag, integer, signal } from "../options.js";
import { runJob, type JobOptions } from "./jobs.js";
import { native } from "./native.js";
import { Tensor } from "./tensor.js";

// Factorizations of f32 matrices, by faer, beside JavaScript. Results belong to the caller. Every element must be finite.

export interface FactorOptions extends JobOptions {
  /** What it is computed in; arguments and results are f32. Default "f64". */
  readonly arithmetic?: "f32" | "f64";
}
export interface TriangularOptions extends FactorOptions {
  /** Read the upper triangle instead of the lower. Default false. */
  readonly upper?: boolean;
}
export interface RandomizedOptions extends FactorOptions {
  /** Directions more than wanted to look in. Default 8. */
  readonly oversample?: number;
  /** Multiplications by a·aᵀ that push small singular values down. Default 2. */
  readonly powerIterations?: number;
  /** Of the random directions. Default 0. */
  readonly seed?: number;
}
export interface Svd {
  /** [m, k], orthonormal columns; of each the entry of largest size is positive */
  readonly u: Tensor;
  /** falling */
  readonly s: Tensor;
  /** [k, n], orthonormal rows */
  readonly vt: Tensor;
}

const jobRules = {
  signal: signal(),
  progress: custom<(done: number, total: number) => void>("a function", (value) => typeof value === "function"),
};
const factorRules = { ...jobRules, arithmetic: choice(["f32", "f64"] as const, { fallback: "f64" }) };
const triangularRules = { ...factorRules, upper: flag({ fallback: false }) };
const randomizedRules = {
  ...factorRules,
  oversample: integer({ from: 0, fallback: 8 }),
  powerIterations: integer({ from: 0, to: 100, fallback: 2 }),
  seed: integer({ fallback: 0 }),
};

/** The checked options of a job, without those that are left out. */
function job({
  signal,
  progress,
}: {
  signal?: AbortSignal | undefined;
  progress?: JobOptions["progress"] | undefined;
}) {
  return { ...(signal !== undefined && { signal }), ...(progress !== undefined && { progress }) };
}

/**
 * a = L·Lᵀ for a [n, n], symmetric and positive definite; only its lower triangle is read → L [n, n], lower triangular.
 *
 * @throws {NumericsError} naming the pivot where a is not positive definite, or an element that is not finite · {ShapeError}
 * @example
 * const l = await cholesky(gram, { arithmetic: "f32" });
 */
export async function cholesky(a: Tensor, options: FactorOptions = {}): Promise<Tensor> {
  const o = checkOptions("cholesky", options, factorRules);
  return Tensor.adopt(await runJob("cholesky", [a], job(o), (id) => native.cholesky(a.handle, o.arithmetic, id)));
}

/**
 * Solves t·x = b, or tᵀ·x = b, for t [n, n] triangular and b [n, k] → x [n, k].
 *
 * @throws {NumericsError} if a pivot is 0 · {ShapeError}
 */
export async function solveTriangular(
  t: Tensor,
  b: Tensor,
  options: TriangularOptions & { readonly transpose?: boolean } = {},
): Promise<Tensor> {
  const rules = { ...triangularRules, transpose: flag({ fallback: false }) };
  const o = checkOptions("solveTriangular", options, rules);
  const { upper, transpose, arithmetic } = o;
  return Tensor.adopt(
    await runJob("solveTriangular", [t, b], job(o), (id) =>
      native.solveTriangular(t.handle, b.handle, { upper, transpose, arithmetic }, id),
    ),
  );
}

/** t⁻¹ of t [n, n], triangular. @throws {NumericsError} if a pivot is 0 · {ShapeError} */
export async function triangularInverse(t: Tensor, options: TriangularOptions = {}): Promise<Tensor> {
  const o = checkOptions("triangularInverse", options, triangularRules);
  const { upper, arithmetic } = o;
  return Tensor.adopt(
    await runJob("triangularInverse", [t], job(o), (id) =>
      native.triangularInverse(t.handle, { upper, arithmetic }, id),
    ),
  );
}

/**
 * Eigenvalues of a [n, n], symmetric (only its lower triangle is read), rising, and their unit vectors as rows [n, n]; of each
 * the entry of largest size is positive.
 *
 * @throws {NumericsError} · {ShapeError}
 */
export async function symmetricEigen(
  a: Tensor,
  options: FactorOptions = {},
): Promise<{ readonly values: Tensor; readonly vectors: Tensor }> {
  const o = checkOptions("symmetricEigen", options, factorRules);
  const eigen = await runJob("symmetricEigen", [a], job(o), (id) => native.symmetricEigen(a.handle, o.arithmetic, id));
  return { values: Tensor.adopt(eigen.values), vectors: Tensor.adopt(eigen.vectors) };
}

/**
 * a [m, n] = u·diag(s)·vt, with min(m, n) vectors on each side, or square u and vt where `full`.
 *
 * @throws {NumericsError} · {ShapeError}
 * @example
 * const { u, s, vt } = await svd(weight);
 */
export async function svd(a: Tensor, options: FactorOptions & { readonly full?: boolean } = {}): Promise<Svd> {
  const o = checkOptions("svd", options, { ...factorRules, full: flag({ fallback: false }) });
  return adoptSvd(await runJob("svd", [a], job(o), (id) => native.svd(a.handle, o.full, o.arithmetic, id)));
}

/** a [m, n] = q·r: q [m, k] with orthonormal columns, r [k, n] upper triangular with a diagonal that is not negative, k = min(m, n). */
export async function qr(a: Tensor, options: FactorOptions = {}): Promise<{ readonly q: Tensor; readonly r: Tensor }> {
  const o = checkOptions("qr", options, factorRules);
  const { q, r } = await runJob("qr", [a], job(o), (id) => native.qr(a.handle, o.arithmetic, id));
  return { q: Tensor.adopt(q), r: Tensor.adopt(r) };
}

/**
 * Orthonormal columns near the span of the first `rank` left singular vectors of a [m, n] (Halko, Martinsson and Tropp 2011,
 * Algorithm 4.4) → [m, min(rank + oversample, m, n)].
 *
 * @throws {OptionError} unless rank is 1 … min(m, n)
 */
export async function randomizedRange(a: Tensor, rank: number, options: RandomizedOptions = {}): Promise<Tensor> {
  const o = checkOptions("randomizedRange", options, randomizedRules);
  const { oversample, powerIterations, seed, arithmetic } = o;
  return Tensor.adopt(
    await runJob("randomizedRange", [a], job(o), (id) =>
      native.randomizedRange(a.handle, { rank, oversample, powerIterations, seed, arithmetic }, id),
    ),
  );
}

/**
 * The first `rank` singular values of a [m, n] and their vectors, nearly (Halko et al. 2011, Algorithm 5.1): u [m, rank],
 * s [rank], vt [rank, n].
 */
export async function randomizedSvd(a: Tensor, rank: number, options: RandomizedOptions = {}): Promise<Svd> {
  const o = checkOptions("randomizedSvd", options, randomizedRules);
  const { oversample, powerIterations, seed, arithmetic } = o;
  return adoptSvd(
    await runJob("randomizedSvd", [a], job(o), (id) =>
      native.randomizedSvd(a.handle, { rank, oversample, powerIterations, seed, arithmetic }, id),
    ),
  );
}

/** xᵀ·x [n, n] of x [.., n], added to `into` where that is given (and returned). Products and sums are f32, in an order that does not depend on threads. */
export function gram(x: Tensor, into?: Tensor): Tensor {
  if (into === undefined) return Tensor.adopt(native.gram(x.handle));
  native.gram(x.handle, into.handle);
  into.touched();
  return into;
}

/** `gram` beside JavaScript. */
export async function gramAsync(x: Tensor, options: JobOptions = {}): Promise<Tensor> {
  const o = checkOptions("gram", options, jobRules);
  return Tensor.adopt(await runJob("gram", [x], job(o), (id) => native.gramAsync(x.handle, id)));
}

/** alpha·op(a)·op(b) beside JavaScript, without gradients: for products of more than about 50 ms. */
export async function matmulAsync(
  a: Tensor,
  b: Tensor,
  options: JobOptions & { readonly transposeA?: boolean; readonly transposeB?: boolean } = {},
): Promise<Tensor> {
  const o = checkOptions("matmul", options, {
    ...jobRules,
    transposeA: flag({ fallback: false }),
    transposeB: flag({ fallback: false }),
  });
  const { transposeA, transposeB } = o;
  return Tensor.adopt(
    await runJob("matmul", [a, b], job(o), (id) =>
      native.matmulAsync(a.handle, b.handle, { transposeA, transposeB }, id),
    ),
  );
}

function adoptSvd({ u, s, vt }: { u: number; s: number; vt: number }): Svd {
  return { u: Tensor.adopt(u), s: Tensor.adopt(s), vt: Tensor.adopt(vt) };
}
