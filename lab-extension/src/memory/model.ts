import type { DeviceMemory, MemorySample, OwnerBytes } from "@nibble-lab/messages";
import { Signal, type ISignal } from "@lumino/signaling";
import type { IKernelFeed, IReceived } from "../tokens.js";

/** One instant of one kernel's memory. */
export interface Instant {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly devices: readonly DeviceMemory[];
  readonly resident: number;
  /** Execution count of the running cell, null between cells. */
  readonly cell: number | null;
  /** True where nothing is known about the time since the instant before. */
  readonly afterGap: boolean;
}

/** Half an hour of 4 samples a second. */
const CAPACITY = 7_200;

/** What one kernel has told about its memory, oldest first, in bounded space. */
export class MemoryHistory {
  readonly instants: Instant[] = [];
  owners: readonly OwnerBytes[] = [];

  get latest(): Instant | undefined {
    return this.instants[this.instants.length - 1];
  }

  /** Append a sample; samples that go back in time are dropped. */
  push(sample: MemorySample): void {
    const before = this.latest;
    if (before && sample.time < before.time) {
      return;
    }
    this.instants.push({
      time: sample.time,
      devices: sample.devices,
      resident: sample.resident,
      cell: sample.cell,
      afterGap: this._broken || !before,
    });
    this._broken = false;
    this.owners = sample.owners;
    if (this.instants.length > CAPACITY * 1.1) {
      this.instants.splice(0, this.instants.length - CAPACITY);
    }
  }

  /** Nothing is known about the time until the next sample. */
  breakLine(): void {
    this._broken = true;
  }

  /** Devices in the order in which the kernel lists them. */
  get devices(): readonly string[] {
    return this.latest?.devices.map((device) => device.device) ?? [];
  }

  private _broken = false;
}

/** Kernels whose history is kept while another notebook is in use. */
const KEPT_KERNELS = 8;

/** The memory of every kernel met, and which of them is in use. */
export class MemoryModel {
  constructor(private readonly feed: IKernelFeed) {
    feed.received.connect(this.onReceived, this);
    feed.stateChanged.connect(() => this._changed.emit());
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** History of the kernel in use; null before its first sample. */
  get history(): MemoryHistory | null {
    const source = this.feed.source;
    return (source && this._histories.get(source.kernelId)) ?? null;
  }

  private onReceived(_: IKernelFeed, { message, source }: IReceived): void {
    if (message.kind === "hello") {
      this._histories.get(source.kernelId)?.breakLine();
    } else if (message.kind === "memory.sample") {
      this.historyOf(source.kernelId).push(message);
      this._changed.emit();
    }
  }

  private historyOf(kernelId: string): MemoryHistory {
    let history = this._histories.get(kernelId);
    if (!history) {
      history = new MemoryHistory();
      this._histories.set(kernelId, history);
      const [oldest] = this._histories.keys();
      if (this._histories.size > KEPT_KERNELS && oldest !== undefined) {
        this._histories.delete(oldest);
      }
    }
    return history;
  }

  private _changed = new Signal<this, void>(this);
  private _histories = new Map<string, MemoryHistory>();
}

const NOTHING: DeviceMemory = { device: "", live: 0, peak: 0, limit: 0, byCategory: [], atPeak: [] };

/** One device of an instant; zeros when the instant does not know it. */
export function deviceAt(instant: Instant, device: string): DeviceMemory {
  return instant.devices.find((entry) => entry.device === device) ?? NOTHING;
}

/**
 * The instants of a window, and the one before it, which holds at its left edge: a sample stands until the next one.
 *
 * @param from left edge in milliseconds since the epoch, as `to`
 */
export function windowOf(instants: readonly Instant[], from: number, to: number): Instant[] {
  const inside = instants.filter((instant) => instant.time >= from && instant.time <= to);
  const before = instants.findLast((instant) => instant.time < from);
  const isHeld = before && !(inside[0]?.afterGap ?? false);
  return isHeld ? [{ ...before, time: from, afterGap: true }, ...inside] : inside;
}

/**
 * At most about `width` of a window's instants: of each equal span of time the one with the most live bytes, so that
 * a spike of one sample survives and every column still adds up.
 */
export function columns(
  instants: readonly Instant[],
  device: string,
  from: number,
  to: number,
  width: number,
): Instant[] {
  const kept: Instant[] = [];
  let bucket = -1;
  for (const instant of instants) {
    const here = Math.floor(((instant.time - from) / Math.max(to - from, 1)) * width);
    const last = kept[kept.length - 1];
    if (!last || here !== bucket || instant.afterGap) {
      kept.push(instant);
      bucket = here;
    } else if (deviceAt(instant, device).live > deviceAt(last, device).live) {
      kept[kept.length - 1] = { ...instant, afterGap: last.afterGap };
    }
  }
  return kept;
}

/** A stretch of time in which one cell ran. */
export interface CellBand {
  readonly cell: number;
  readonly from: number;
  readonly to: number;
}

/** The cells that ran in these instants. */
export function cellBands(instants: readonly Instant[]): CellBand[] {
  const bands: CellBand[] = [];
  let isOpen = false;
  for (const { time, cell, afterGap } of instants) {
    const last = bands[bands.length - 1];
    const continues = isOpen && !afterGap && last;
    if (continues) {
      bands[bands.length - 1] = { ...last, to: time };
    }
    if (cell !== null && (!continues || last.cell !== cell)) {
      bands.push({ cell, from: time, to: time });
    }
    isOpen = cell !== null;
  }
  return bands;
}

/** Round numbers of bytes from 0 up to at least `top`, about `count` of them. */
export function byteTicks(top: number, count: number, base = 1000): number[] {
  if (top <= 0) {
    return [0];
  }
  const unit = base ** Math.floor(Math.log(top) / Math.log(base));
  const rough = top / unit / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power * unit;
  const ticks = [];
  for (let tick = 0; tick < top + step * 0.999; tick += step) {
    ticks.push(tick);
  }
  return ticks;
}
