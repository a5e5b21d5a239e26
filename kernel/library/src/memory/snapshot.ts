import { checkOptions, integer } from "../options.js";
import {
  categories,
  collectedTensors,
  memoryOwners,
  memoryStats,
  type Category,
  type OwnerBytes,
} from "../tensor/device.js";
import {
  display,
  escapeHtml,
  formatBytes,
  inspect,
  tableBundle,
  type Displayable,
  type MimeBundle,
} from "../display.js";

/** Bytes of one category on one device. */
export interface CategoryBytes {
  readonly category: Category;
  /** Now. */
  readonly bytes: number;
  /** At the moment when the device's total was highest. */
  readonly atPeak: number;
}

/** The engine's bytes on one device. `byCategory` adds up to `live`, and its `atPeak` to `peak`. */
export interface DeviceBytes {
  readonly device: string;
  readonly live: number;
  readonly peak: number;
  /** 0 where none is set. */
  readonly limit: number;
  readonly tensors: number;
  /** Freed bytes that lie ready for reuse: part of no other number here. `releasePooledMemory()` gives them back to the system. */
  readonly pooled: number;
  readonly byCategory: readonly CategoryBytes[];
}

const OWNERS = 20;
const SHOWN_OWNERS = 10;

/**
 * Bytes by category and owner, now and at the peak.
 *
 * @param options.owners how many of the largest owners to list; default 20
 * @throws {OptionError}
 * @example
 * memory();                                          // a table
 * memory().devices[0]?.live;
 */
export function memory(options: { readonly owners?: number } = {}): MemorySnapshot {
  const { owners } = checkOptions("memory", options, { owners: integer({ from: 1, fallback: OWNERS }) });
  const names = categories();
  const devices = memoryStats().map(({ liveByCategory, atPeakByCategory, ...stats }) => ({
    device: stats.device,
    live: stats.live,
    peak: stats.peak,
    limit: stats.limit,
    tensors: stats.tensors,
    pooled: stats.pooled,
    byCategory: names.map((category, i) => ({ category, bytes: liveByCategory[i]!, atPeak: atPeakByCategory[i]! })),
  }));
  return new MemorySnapshot(devices, memoryOwners(owners), process.memoryUsage.rss(), collectedTensors());
}

/** What `memory` saw; shows itself as a table with bars. */
export class MemorySnapshot implements Displayable {
  constructor(
    readonly devices: readonly DeviceBytes[],
    /** Largest first. */
    readonly owners: readonly OwnerBytes[],
    /** Resident bytes of the whole process, JavaScript included. */
    readonly resident: number,
    /** Tensors that their owners forgot and the garbage collector freed, since the process began. */
    readonly collected: number,
  ) {}

  toString(): string {
    return this[display]()["text/plain"];
  }

  [display](): MimeBundle {
    const parts = [...this.devices.map(deviceBundle), this.ownersBundle()];
    const forgotten = this.collected === 0 ? "" : ` ${this.collected} forgotten tensors were collected since it began.`;
    const resident = `The whole process holds ${formatBytes(this.resident)}.${forgotten}`;
    return {
      "text/plain": [...parts.map((part) => part["text/plain"]), resident].join("\n\n"),
      "text/html": `<div>${parts.map((part) => String(part["text/html"])).join("")}<div>${escapeHtml(resident)}</div></div>`,
    };
  }
  [inspect](): string {
    return this.toString();
  }

  private ownersBundle(): MimeBundle {
    return tableBundle({
      title: "Largest owners",
      columns: ["owner", "category", "device", "bytes"],
      rows: this.owners
        .slice(0, SHOWN_OWNERS)
        .map(({ owner, category, device, bytes }) => [
          owner === "" ? "(none)" : owner,
          category,
          device,
          formatBytes(bytes),
        ]),
    });
  }
}

const BAR_CELLS = 20;

function deviceBundle({ device, live, peak, limit, tensors, pooled, byCategory }: DeviceBytes): MimeBundle {
  const bar = (bytes: number) => "█".repeat(Math.ceil((BAR_CELLS * bytes) / Math.max(1, peak)));
  return tableBundle({
    title: `Memory on ${device}`,
    columns: ["category", "now", "at the peak", "share of the peak"],
    rows: [
      ...byCategory.map(({ category, bytes, atPeak }) => [
        category,
        formatBytes(bytes),
        formatBytes(atPeak),
        bar(bytes),
      ]),
      ["total", formatBytes(live), formatBytes(peak), bar(live)],
    ],
    note: `${tensors} tensors; ${limit === 0 ? "no limit" : `limit ${formatBytes(limit)}`}; ${formatBytes(pooled)} freed and ready for reuse. The peak column is the moment of the highest total.`,
  });
}
