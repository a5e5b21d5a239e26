import { CATEGORIES, type DeviceMemory, type MemorySample } from "@nibble-lab/messages";
import { loadEngine, type Engine } from "../executor/supervisor-engine.js";
import type { Bridge, Push } from "./bridge.js";

const PERIOD_MS = 250;
const OWNERS = 20;

/** Samples the allocator's process-wide counters while somebody listens. */
export class MemoryBridge implements Bridge {
  private timer: NodeJS.Timeout | null = null;
  private engine: Engine | null = null;
  private loadFailure: string | null = null;

  constructor(
    private readonly push: Push,
    private readonly runningCell: () => number | null,
  ) {}

  listeners(count: number): void {
    if (count > 0) this.timer ??= setInterval(() => this.push(this.sample()), PERIOD_MS);
    else this.dispose();
  }

  welcome(push: Push): void {
    if (this.engine !== null || this.loadFailure !== null) return push(this.sample());
    loadEngine().then(
      (engine) => {
        this.engine = engine;
        push(this.sample());
      },
      (error: unknown) => {
        this.loadFailure = String(error);
        process.stderr.write(`The memory panel shows resident bytes only: ${this.loadFailure}\n`);
        push(this.sample());
      },
    );
  }

  dispose(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private sample(): MemorySample {
    return {
      kind: "memory.sample",
      time: Date.now(),
      devices: this.engine === null ? [] : devices(this.engine),
      owners: this.engine?.memoryOwners(OWNERS) ?? [],
      resident: process.memoryUsage.rss(),
      cell: this.runningCell(),
    };
  }
}

function devices(engine: Engine): DeviceMemory[] {
  const order = engine.categories();
  const sorted = (bytes: readonly number[]) => CATEGORIES.map((category) => bytes[order.indexOf(category)] ?? 0);
  return engine.memoryStats().map(({ device, live, peak, limit, liveByCategory, atPeakByCategory }) => {
    return { device, live, peak, limit, byCategory: sorted(liveByCategory), atPeak: sorted(atPeakByCategory) };
  });
}
