/** The comm target that a panel opens. The front end always opens; the kernel only pushes. */
export const COMM_TARGET = "nibble-lab";
/** Additive fields never raise it; a reader ignores kinds and fields that it does not know. */
export const SCHEMA = 1;

export const TOPICS = ["memory", "training", "pca"] as const;
export type Topic = (typeof TOPICS)[number];

/** Front end → kernel, as the data of `comm_open`. */
export interface Open {
  readonly schemas: readonly number[];
  readonly topics: readonly Topic[];
}

/** Kernel → front end, as the data of `comm_msg`. Arrays meant for eyes travel as buffers beside it. */
export type Message = Hello | Refusal | MemorySample | TrainingUpdate | PcaComparison;

/** First answer to an `Open` whose schema fits. */
export interface Hello {
  readonly kind: "hello";
  readonly schema: number;
  readonly kernelVersion: string;
  /** Stays the same while the executor lives: a new one means that everything was lost. */
  readonly session: string;
}

/** The answer to an `Open` that does not fit; the comm is closed after it. */
export interface Refusal {
  readonly kind: "refusal";
  readonly message: string;
}

export const CATEGORIES = ["weights", "scales", "gradients", "optimizer", "activations", "workspace", "cache"] as const;
export type Category = (typeof CATEGORIES)[number];

/** Bytes of one device at one instant. `byCategory` follows `CATEGORIES` and adds up to `live`. */
export interface DeviceMemory {
  readonly device: string;
  readonly live: number;
  readonly peak: number;
  /** 0 where no limit is set. */
  readonly limit: number;
  readonly byCategory: readonly number[];
  /** What `peak` was made of; adds up to it. */
  readonly atPeak: readonly number[];
}

export interface OwnerBytes {
  readonly owner: string;
  readonly category: Category;
  readonly device: string;
  readonly bytes: number;
}

/** At most 4 a second, sent also while a cell computes. */
export interface MemorySample {
  readonly kind: "memory.sample";
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly devices: readonly DeviceMemory[];
  /** Largest first. */
  readonly owners: readonly OwnerBytes[];
  /** Resident bytes of the whole executor process. */
  readonly resident: number;
  /** Execution count of the running cell, null between cells. */
  readonly cell: number | null;
}

/** The latest steps of a run, sent at most 4 times a second. */
export interface TrainingUpdate {
  readonly kind: "training.update";
  readonly run: string;
  readonly method: string;
  readonly steps: number;
  readonly points: readonly {
    readonly step: number;
    readonly loss: number;
    readonly learningRate: number;
    readonly gradientNorm: number;
    readonly tokensPerSecond: number;
  }[];
  readonly done: boolean;
}

/**
 * Activations of two models in one basis, fitted on the first model's.
 * Buffers: one Float32Array [layers, 2, points, components], row-major.
 */
export interface PcaComparison {
  readonly kind: "pca.comparison";
  readonly id: string;
  /** For example "full precision" and "rtn, 2 bits per channel". */
  readonly models: readonly [string, string];
  /** The hook pattern, for example `blocks.{i}.hook_resid_post`. */
  readonly hook: string;
  /** The hook's name at each layer. */
  readonly layers: readonly string[];
  readonly points: number;
  /** Points before sampling, and how they were chosen. */
  readonly sampled: { readonly from: number; readonly method: string; readonly seed: number };
  readonly components: number;
  /** Share of the first model's variance by component: [layers][components]. */
  readonly explained: readonly (readonly number[])[];
  /** Mean distance between the two models' activations ÷ the first's mean norm from its centre, by layer. */
  readonly displacement: readonly number[];
  readonly tokens: readonly string[];
  /** Index into `prompts`, by point. */
  readonly promptOf: readonly number[];
  readonly prompts: readonly string[];
}

/** Null when the kind is unknown: a newer kernel may send what this side does not know yet. */
export function decode(data: unknown): Message | null {
  if (typeof data !== "object" || data === null || !("kind" in data)) return null;
  return KINDS.has(data.kind as Message["kind"]) ? (data as Message) : null;
}

const KINDS: ReadonlySet<Message["kind"]> = new Set<Message["kind"]>([
  "hello",
  "refusal",
  "memory.sample",
  "training.update",
  "pca.comparison",
]);
