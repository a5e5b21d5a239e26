/**
 * The native engine: finds and loads the addon, and exports its functions under their own names.
 *
 * Every error thrown carries a stable `code`: ShapeError, DTypeError, OptionError, UnsupportedError, FormatError,
 * DisposedError, OutOfMemoryError, NumericsError, InterruptedError or InternalError.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import type * as Declared from "../index.js";

export type * from "../index.js";

type Addon = typeof Declared;

const CODES = new Set([
  "ShapeError",
  "DTypeError",
  "OptionError",
  "UnsupportedError",
  "FormatError",
  "DisposedError",
  "OutOfMemoryError",
  "NumericsError",
  "InterruptedError",
  "InternalError",
]);
/** What the binding's generated code says about an argument of the wrong JavaScript type: InvalidArg, NumberExpected, … */
const BAD_ARGUMENT = /^(InvalidArg|\w+Expected)$/;

/** The addon beside this package, or an error that says why it does not load. */
function load(): Addon {
  const path = fileURLToPath(new URL("../nibble-lab.node", import.meta.url));
  if (!existsSync(path)) {
    throw failure(`The engine is not built: ${path} is missing. Run "npm run build --workspace native" (needs Rust).`);
  }
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const here = `${process.platform}-${process.arch}, Node ${process.version}`;
    const advice = `Build it again on this machine with "npm run build --workspace native".`;
    throw failure(`The engine at ${path} does not load on ${here}: ${why}. ${advice}`, cause);
  }
}

function failure(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: "UnsupportedError" });
}

/** The same functions; what they throw carries one of the codes above. */
function withCodes(addon: Addon): Addon {
  const wrapped: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(addon as Record<string, unknown>)) {
    wrapped[name] = typeof value === "function" ? guard(name, value as (...args: unknown[]) => unknown) : value;
  }
  return wrapped as Addon;
}

function guard(name: string, call: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  return (...args) => {
    try {
      return call(...args);
    } catch (error) {
      throw withCode(name, error);
    }
  };
}

function withCode(name: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const thrown = error as Error & { code?: string };
  if (thrown.code !== undefined && CODES.has(thrown.code)) return thrown;
  if (thrown.name === "TypeError" || BAD_ARGUMENT.test(thrown.code ?? "")) {
    thrown.message = `[${name}] ${thrown.message}. See the declaration of ${name} for the types of its arguments.`;
    thrown.code = "OptionError";
  } else {
    thrown.message = `[${name}] ${thrown.message}. This is a mistake in the engine: please report it.`;
    thrown.code = "InternalError";
  }
  return thrown;
}

export const {
  engineInfo, devices, interrupt, clearInterrupt, isInterrupted,
  categories, memoryStats, memoryOwners, memoryEvents, resetPeakMemory, setMemoryLimit, liveTensors,
  tensorFromBytes, tensorZeros, tensorFull, tensorRandomNormal, tensorInfo, tensorRead, tensorReadSync, tensorWrite, tensorDispose, tensorReshape, tensorCast, tensorCopy, tensorToDevice, tensorRelabel, sliceRows, gatherRows, scatterRows, concatRows, transpose, permute,
  add, subtract, multiply, divide, scale, addScalar, exp, log, sqrt, addInPlace, scaleInPlace, clampInPlace,
  activationForward, activationBackward, gatedActivationForward, gatedActivationBackward, softmax, softmaxBackward, logSoftmax, logSoftmaxBackward, dropout,
  sumRows, sum, reduceForward, reduceBackward, argmax, topK,
  releasePooledMemory,
  tensorRandomUniform, tensorRandomTruncatedNormal, tensorRandomOrthogonal,
  matmul, batchedMatmul,
  packedLinearForward, packedLinearForwardInt8, packedLinearBackwardInput, packedLinearBackwardScales, packedLinearBackwardScalesFromOutput, dequantize, packIntegers, unpackIntegers, quantizeBlocks, quantizeScalesNested,
  quantizeInteger, quantizeHqq, gptqFactor, quantizeGptq, reduceMagnitude, clipWeights, scaleColumns,
  fakeQuantForward, fakeQuantBackward, codesOnGrid,
  embeddingForward, embeddingBackward, rmsNormForward, rmsNormBackward, addRmsNormForward, layerNormForward, layerNormBackward, rope, attentionForward, attentionBackward, cacheWrite, cacheRead,
  linearCrossEntropy,
  adamwStep, adamw8BitStep, lionStep, sgdStep, muonStep, globalNorm,
  cholesky, solveTriangular, triangularInverse, symmetricEigen, svd, qr, randomizedRange, randomizedSvd, gram,
  matmulAsync, gramAsync, quantizeIntegerAsync, quantizeBlocksAsync, jobProgress, jobStop,
  pcaFit, pcaProject,
} = withCodes(load());
