/** What one cell may print, in characters: more freezes front ends and swells notebooks. */
export const OUTPUT_LIMIT = 64_000_000;
/** Cells whose late output is still counted. */
const REMEMBERED = 1000;

interface Spent {
  printed: number;
  dropped: number;
}

/** Counts what each cell prints, and lets through no more than the limit. */
export class OutputBudget {
  private readonly spent = new Map<number, Spent>();

  constructor(private readonly limit = OUTPUT_LIMIT) {}

  /** The part of the text that may be shown; the first that may not brings a notice with it. */
  take(run: number, text: string): { readonly text: string; readonly notice: string } {
    const spent = this.of(run);
    const room = this.limit - spent.printed;
    if (text.length <= room) {
      spent.printed += text.length;
      return { text, notice: "" };
    }
    const isFirst = spent.dropped === 0;
    const kept = text.slice(0, room);
    spent.printed += kept.length;
    spent.dropped += text.length - kept.length;
    const notice = `\n[output] The cell printed ${shown(this.limit)} characters, the most that is shown; what follows is dropped. Write it to a file instead.\n`;
    return { text: kept, notice: isFirst ? notice : "" };
  }

  /** Said when the cell ends; empty where nothing was dropped. */
  summary(run: number): string {
    const dropped = this.spent.get(run)?.dropped ?? 0;
    return dropped === 0 ? "" : `[output] ${shown(dropped)} characters were dropped.\n`;
  }

  private of(run: number): Spent {
    const known = this.spent.get(run);
    if (known !== undefined) return known;
    const spent = { printed: 0, dropped: 0 };
    this.spent.set(run, spent);
    if (this.spent.size > REMEMBERED) this.spent.delete(this.spent.keys().next().value!);
    return spent;
  }
}

function shown(count: number): string {
  return count.toLocaleString("en");
}
