import { AsyncLocalStorage } from "node:async_hooks";

/** What a scope frees: a tensor or a tape node. */
export interface Scoped {
  /** Frees it; twice is fine. */
  leave(): void;
  /** The other scoped things that must live as long as this one. */
  needs(): Iterable<Scoped>;
}

interface Context {
  readonly scope: Scope | null;
  readonly recording: boolean;
  /** Whether products with packed weights round their activations to eight bits. */
  readonly int8: boolean;
}

const contexts = new AsyncLocalStorage<Context>();
const outermost: Context = { scope: null, recording: true, int8: false };
const current = () => contexts.getStore() ?? outermost;

class Scope {
  readonly members = new Set<Scoped>();
  constructor(readonly parent: Scope | null) {}

  /** Hands what the result needs to the parent and frees the rest. */
  close(result: unknown): void {
    const kept = new Set<Scoped>();
    const queue = [...scopedIn(result)];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      // What belongs to no scope or an outer one is not ours to walk.
      if (kept.has(next) || !this.members.has(next)) continue;
      kept.add(next);
      queue.push(...next.needs());
    }
    for (const member of this.members) {
      if (!kept.has(member)) member.leave();
      else this.parent?.members.add(member);
    }
    this.members.clear();
  }
}

/**
 * Runs `fn` and frees every tensor made inside, except those in its result (also
 * nested in arrays, maps and plain objects, or held by a module) and those given to `keep`.
 * Works for async functions: the tensors are freed when the promise settles.
 *
 * @example
 * const loss = scope(() => model.loss(batch));
 */
export function scope<T>(fn: () => T): T {
  const inner = new Scope(current().scope);
  return within({ ...current(), scope: inner }, fn, inner);
}

/** Runs `fn` without recording a tape: nothing made inside can be differentiated. Works for async functions. */
export function noGrad<T>(fn: () => T): T {
  return contexts.run({ ...current(), recording: false }, fn);
}

/** Runs `fn` recording a tape, also inside `noGrad`. */
export function recorded<T>(fn: () => T): T {
  return contexts.run({ ...current(), recording: true, int8: false }, fn);
}

/** Runs `fn` without recording a tape; products with packed weights round their activations to eight bits. */
export function withInt8Activations<T>(fn: () => T): T {
  return contexts.run({ ...current(), recording: false, int8: true }, fn);
}

/** True inside `withInt8Activations`. */
export function activationsAreInt8(): boolean {
  return current().int8;
}

/** True where operations record what their gradients need. */
export function isRecording(): boolean {
  return current().recording;
}

/** Takes a value's tensors out of every scope: they live until disposed of. Returns the value. */
export function keep<T>(value: T): T {
  const queue = [...scopedIn(value)];
  const seen = new Set<Scoped>();
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    let member = false;
    for (let scope = contexts.getStore()?.scope ?? null; scope !== null; scope = scope.parent) {
      member = scope.members.delete(next) || member;
    }
    if (member) queue.push(...next.needs());
  }
  return value;
}

/** Gives something just made to the innermost scope, if there is one. */
export function register(member: Scoped): void {
  contexts.getStore()?.scope?.members.add(member);
}

function within<T>(context: Context, fn: () => T, inner: Scope): T {
  let result: T;
  try {
    result = contexts.run(context, fn);
  } catch (error) {
    inner.close(undefined);
    throw error;
  }
  if (!(result instanceof Promise)) {
    inner.close(result);
    return result;
  }
  const settled = result.then(
    (value: unknown) => {
      inner.close(value);
      return value;
    },
    (error: unknown) => {
      inner.close(undefined);
      throw error;
    },
  );
  return settled as T;
}

/** The scoped things in a value: itself, a module's or holder's tensors, or inside arrays, maps, sets and plain objects. */
function* scopedIn(value: unknown, seen = new Set<object>()): Generator<Scoped> {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if (isScoped(value)) yield value;
  else if (holdsTensors(value)) for (const [, tensor] of value.namedTensors()) yield tensor;
  else if (value instanceof Map) for (const entry of value.values()) yield* scopedIn(entry, seen);
  else if (Array.isArray(value) || value instanceof Set) for (const entry of value) yield* scopedIn(entry, seen);
  else if (isPlain(value)) for (const entry of Object.values(value)) yield* scopedIn(entry, seen);
}

function isScoped(value: object): value is Scoped {
  return "leave" in value && "needs" in value && typeof value.leave === "function";
}
function holdsTensors(value: object): value is { namedTensors(): Iterable<[string, Scoped]> } {
  return "namedTensors" in value && typeof value.namedTensors === "function";
}
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
