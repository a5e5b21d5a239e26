import { inspect } from "node:util";

const LONGEST_TEXT = 20_000; // characters; what is longer is cut with a notice
/** How deep and how long values are shown; the first that visits few enough of them. */
const DETAILS = [
  { depth: 4, maxArrayLength: 100 },
  { depth: 3, maxArrayLength: 50 },
  { depth: 2, maxArrayLength: 20 },
  { depth: 1, maxArrayLength: 10 },
] as const;
const MOST_VISITED = 20_000;
/** Numbers of a typed array that are still shown one by one. */
const FEW_NUMBERS = 100;
const FIRST_NUMBERS = 8;

/** A value as Node's inspection shows it, with a summary in the place of many numbers, and cut where it is long. */
export function plainText(value: unknown): string {
  const summary = numbersSummary(value);
  const text = summary ?? inspect(value, { ...detailsFor(value), maxStringLength: 10_000, breakLength: 100 });
  if (text.length <= LONGEST_TEXT) return text;
  return `${text.slice(0, LONGEST_TEXT)}\n… ${text.length - LONGEST_TEXT} more characters`;
}

/** Inspecting visits every value that it shows, and nested arrays have many. */
function detailsFor(value: unknown): (typeof DETAILS)[number] {
  return (
    DETAILS.find(({ depth, maxArrayLength }) => visits(value, depth, maxArrayLength) <= MOST_VISITED) ?? DETAILS[3]
  );
}

function visits(value: unknown, depth: number, most: number): number {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return 1;
  if (value instanceof Map || value instanceof Set || !isPlain(value)) return 1;
  const below = Array.isArray(value) ? value.slice(0, most) : ownValues(value);
  if (depth === 0) return 1;
  let count = 1;
  for (const one of below) {
    count += visits(one, depth - 1, most);
    if (count > MOST_VISITED) break;
  }
  return count;
}

/** Getters are not called. */
function ownValues(value: object): unknown[] {
  return Object.values(Object.getOwnPropertyDescriptors(value)).map((one) => one.value as unknown);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

type Numbers = ArrayLike<number | bigint> & { readonly constructor: { readonly name: string } };

function isNumbers(value: unknown): value is Numbers {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) && !Buffer.isBuffer(value);
}

/** `Float32Array(4096)  min −0.41  mean 0.002  max 0.39` and the first numbers; also for tensors that hold such an array. */
function numbersSummary(value: unknown): string | null {
  if (isNumbers(value)) {
    return value.length <= FEW_NUMBERS ? null : `${value.constructor.name}(${value.length})  ${statistics(value)}`;
  }
  const tensor = tensorLike(value);
  if (tensor === null || tensor.data.length <= FEW_NUMBERS) return null;
  return `${tensor.name} [${tensor.shape.join(", ")}] ${tensor.dtype}  ${statistics(tensor.data)}`;
}

/** Tensors of other libraries: a shape, and the numbers in a typed array. */
function tensorLike(value: unknown): { name: string; shape: readonly number[]; dtype: string; data: Numbers } | null {
  if (typeof value !== "object" || value === null) return null;
  const { shape, dims, data, dtype, type } = ownOrInherited(value);
  const sizes = Array.isArray(shape) ? shape : dims;
  if (!Array.isArray(sizes) || !sizes.every(Number.isInteger) || !isNumbers(data)) return null;
  if ((sizes as number[]).reduce((a, b) => a * b, 1) !== data.length) return null;
  const word = [dtype, type].find((one) => typeof one === "string") ?? data.constructor.name;
  const name = value.constructor === Object ? "Tensor" : value.constructor.name;
  return { name, shape: sizes as number[], dtype: word as string, data };
}

function ownOrInherited(value: object): Record<string, unknown> {
  try {
    const { shape, dims, data, dtype, type } = value as Record<string, unknown>;
    return { shape, dims, data, dtype, type };
  } catch {
    return {}; // a getter that throws, a revoked proxy
  }
}

function statistics(numbers: Numbers): string {
  let [low, high, sum, finite] = [Infinity, -Infinity, 0, 0];
  for (let index = 0; index < numbers.length; index++) {
    const value = Number(numbers[index]);
    if (!Number.isFinite(value)) continue;
    finite += 1;
    sum += value;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const first = Array.from({ length: FIRST_NUMBERS }, (_, index) => short(Number(numbers[index])));
  const missing = numbers.length - finite;
  const range =
    finite === 0 ? "no finite number" : `min ${short(low)}  mean ${short(sum / finite)}  max ${short(high)}`;
  const rest = `… ${numbers.length - FIRST_NUMBERS} more`;
  return `${range}${missing > 0 ? `  not finite ${missing}` : ""}\n[ ${first.join(", ")}, ${rest} ]`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)));
}
