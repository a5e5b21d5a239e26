/** Stable names, equal to the class names; the addon uses the same ones. */
export const ERROR_CODES = [
  "ShapeError",
  "DTypeError",
  "OptionError",
  "UnsupportedError",
  "FormatError",
  "DisposedError",
  "OutOfMemoryError",
  "NumericsError",
  "InterruptedError",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * What this library throws. The text reads `[op] what came. What is allowed. What to do.`; `details` holds the same facts as fields.
 *
 * @example
 * try { await loadModel("pocktet"); } catch (error) { if (error instanceof NibbleLabError) console.log(error.code, error.details); }
 */
export abstract class NibbleLabError extends Error {
  abstract readonly code: ErrorCode;

  constructor(
    readonly op: string,
    text: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(`[${op}] ${text}`, cause === undefined ? undefined : { cause });
  }
}

/** A dimension is not what the operation needs. */
export class ShapeError extends NibbleLabError {
  readonly code = "ShapeError";
}
/** An element type is not what the operation takes. */
export class DTypeError extends NibbleLabError {
  readonly code = "DTypeError";
}
/** An option's name or value is not allowed. */
export class OptionError extends NibbleLabError {
  readonly code = "OptionError";
}
/** The request is meaningful, but nothing here can do it. */
export class UnsupportedError extends NibbleLabError {
  readonly code = "UnsupportedError";
}
/** A file is not what it claims to be; `details` has `path` and, where it makes sense, `offset` in bytes. */
export class FormatError extends NibbleLabError {
  readonly code = "FormatError";
}
/** A tensor, model or tape is used after its end. */
export class DisposedError extends NibbleLabError {
  readonly code = "DisposedError";
}
/** An allocation does not fit under the limit. */
export class OutOfMemoryError extends NibbleLabError {
  readonly code = "OutOfMemoryError";
}
/** The numbers do not allow it: not finite, not positive definite, … */
export class NumericsError extends NibbleLabError {
  readonly code = "NumericsError";
}
/** The work was stopped from outside: the stop button or an AbortSignal. */
export class InterruptedError extends NibbleLabError {
  readonly code = "InterruptedError";
}

/** The class of each code, for errors that arrive as a name. */
export const errorClasses: {
  readonly [C in ErrorCode]: new (
    op: string,
    text: string,
    details?: Readonly<Record<string, unknown>>,
    cause?: unknown,
  ) => NibbleLabError & { readonly code: C };
} = {
  ShapeError,
  DTypeError,
  OptionError,
  UnsupportedError,
  FormatError,
  DisposedError,
  OutOfMemoryError,
  NumericsError,
  InterruptedError,
};

for (const code of ERROR_CODES) {
  Object.defineProperty(errorClasses[code].prototype, "name", { value: code, configurable: true });
}

/** Throws InterruptedError if the signal has been aborted. */
export function throwIfAborted(op: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new InterruptedError(op, "Stopped by its AbortSignal.", {}, signal.reason);
}
