/** What a comparison is made of; the coordinates travel beside it. */
export interface PcaComparisonMeta {
  readonly id: string;
  readonly models: readonly [string, string];
  readonly hook: string;
  readonly layers: readonly string[];
  readonly points: number;
  readonly sampled: { readonly from: number; readonly method: string; readonly seed: number };
  readonly components: number;
  /** Share of the first model's variance: [layers][components]. */
  readonly explained: readonly (readonly number[])[];
  /** Mean distance between the two models' activations ÷ the first's mean norm from its centre, by layer. */
  readonly displacement: readonly number[];
  readonly tokens: readonly string[];
  /** Index into `prompts`, by point. */
  readonly promptOf: readonly number[];
  readonly prompts: readonly string[];
}

export interface LibraryEvents {
  "training.start": { readonly run: string; readonly method: string; readonly steps: number };
  "training.step": {
    readonly run: string;
    readonly step: number;
    readonly steps: number;
    readonly loss: number;
    readonly learningRate: number;
    readonly gradientNorm: number;
    readonly tokensPerSecond: number;
  };
  "training.end": {
    readonly run: string;
    readonly steps: number;
    readonly outcome: "finished" | "stopped" | "failed";
  };
  /** coordinates: [layers, 2, points, components], row-major. */
  "pca.comparison": { readonly comparison: PcaComparisonMeta; readonly coordinates: Float32Array };
  progress: {
    readonly id: string;
    readonly label: string;
    readonly done: number;
    readonly total: number;
    readonly unit: string;
  };
}
export type EventName = keyof LibraryEvents;
type Listener<N extends EventName> = (event: LibraryEvents[N]) => void;

/** The one way out of the library besides return values: whoever shows things listens here. */
export class Emitter {
  private readonly listeners = new Map<EventName, Set<Listener<never>>>();

  /** Calls `listener` on each event of that name, in the order of registration; the result takes it off again. */
  on<N extends EventName>(name: N, listener: Listener<N>): () => void {
    let set = this.listeners.get(name);
    if (set === undefined) this.listeners.set(name, (set = new Set()));
    const own = (event: LibraryEvents[N]) => listener(event);
    set.add(own);
    return () => void set.delete(own);
  }

  /** A listener that throws does not stop the work that it watches: its error surfaces as an uncaught exception. */
  emit<N extends EventName>(name: N, event: LibraryEvents[N]): void {
    for (const listener of this.listeners.get(name) ?? []) {
      try {
        (listener as Listener<N>)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** True where an event of that name would reach somebody. */
  heard(name: EventName): boolean {
    return (this.listeners.get(name)?.size ?? 0) > 0;
  }
}

export const events = new Emitter();
