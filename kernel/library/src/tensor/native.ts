import * as addon from "@nibble-lab/native";
import { errorClasses, type ErrorCode } from "../errors.js";

type Addon = typeof addon;

/** The addon, its errors turned into this library's classes. Nothing else imports it. */
export const native: Addon = guarded(addon);

function guarded(module: Addon): Addon {
  const result: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(module)) {
    result[name] = typeof member === "function" ? guard(name, member as (...args: unknown[]) => unknown) : member;
  }
  return result as Addon;
}

function guard(name: string, call: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  return (...args) => {
    try {
      const result = call(...args);
      return result instanceof Promise
        ? result.catch((error: unknown) => Promise.reject(translated(name, error)))
        : result;
    } catch (error) {
      throw translated(name, error);
    }
  };
}

/** The addon's errors carry one of our codes and a text `[op] …`; any other error is passed on as it is. */
function translated(name: string, error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const ErrorClass = errorClasses[(error as { code?: unknown }).code as ErrorCode] as
    (typeof errorClasses)[ErrorCode] | undefined;
  if (ErrorClass === undefined) return error;
  const parts = /^\[([^\]]+)\]\s*([^]*)$/.exec(error.message);
  return new ErrorClass(parts?.[1] ?? name, parts?.[2] ?? error.message, {}, error);
}
