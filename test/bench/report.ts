/** One comparison: a case of a bench, our number and the rival's. */
export interface Row {
  readonly bench: string;
  readonly case: string;
  readonly ours: number;
  /** The peer or the limit, by name; "none" where nothing was there to compare with. */
  readonly rival: string;
  readonly rivalValue: number | null;
  /** Above 1 is better for us, whichever way the unit points. */
  readonly ratio: number | null;
  readonly unit: string;
}

/** Units of which less is better. */
const LESS_IS_BETTER = new Set(["bytes", "ms"]);

/** Joins a measurement of ours with each rival's of the same case; alone when there is none. */
export function compare(
  bench: string,
  name: string,
  unit: string,
  ours: number,
  rivals: ReadonlyMap<string, number>,
): Row[] {
  if (rivals.size === 0) return [{ bench, case: name, ours, rival: "none", rivalValue: null, ratio: null, unit }];
  return [...rivals].map(([rival, value]) => {
    const ratio = LESS_IS_BETTER.has(unit) ? value / ours : ours / value;
    return { bench, case: name, ours, rival, rivalValue: value, ratio, unit };
  });
}

/** A table for eyes. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.bench,
    row.case,
    show(row.ours, row.unit),
    row.rival,
    row.rivalValue === null ? "" : show(row.rivalValue, row.unit),
    row.ratio === null ? "" : row.ratio.toFixed(2),
    row.unit,
  ]);
  const all = [["bench", "case", "ours", "rival", "theirs", "ratio", "unit"], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function show(value: number, unit: string): string {
  if (!Number.isFinite(value)) return "never";
  if (unit === "bytes") return `${(value / 1e6).toFixed(1)}e6`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
