export type ByteUnits = "decimal" | "binary";

const NAMES: Record<ByteUnits, readonly string[]> = {
  decimal: ["B", "kB", "MB", "GB", "TB"],
  binary: ["B", "KiB", "MiB", "GiB", "TiB"],
};

/** Bytes with three significant digits, for example "12.3 MiB". */
export function formatBytes(bytes: number, units: ByteUnits = "binary"): string {
  const base = units === "decimal" ? 1000 : 1024;
  let value = bytes;
  let unit = 0;
  // 999.5 would print as 1000 of the smaller unit.
  while (Math.abs(value) >= (unit === 0 ? base : base - 0.5) && unit < NAMES[units].length - 1) {
    value /= base;
    unit++;
  }
  const digits = unit === 0 || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${NAMES[units][unit]}`;
}

/** A share of one as a percentage, for example "12.4 %". */
export function formatPercent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Seconds as "45 s" or "2 min 5 s". */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  const rest = whole % 60;
  const minutes = (whole - rest) / 60;
  return minutes === 0 ? `${rest} s` : rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`;
}
