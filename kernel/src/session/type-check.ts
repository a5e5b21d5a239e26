import { sourceFrame } from "../executor/errors.js";
import type { RunOutcome } from "../executor/messages.js";
import { lineStarts, positionAt } from "../executor/sourcemap.js";
import type { TypeProblem } from "./diagnostics.js";
import type { Language } from "./language.js";
import { failure } from "./runs.js";

/** What a mistake in the types of a cell does: it does not run, it is told, nobody looks. */
export const typeModes = ["error", "warn", "off"] as const;
export type TypeMode = (typeof typeModes)[number];

/** A cell waits no longer than this for its check: types of a large library that are read for the first time take longer. */
const PATIENCE_MS = 2000;
const MOST_SHOWN = 5;

/** Looks at the types of a cell before it runs. While the types are still being read, it runs at once and is told later. */
export class TypeCheck {
  private mode: TypeMode = "error";

  constructor(private readonly language: Language) {}

  /** Takes a new mode, or none; says which holds now. */
  set(mode: TypeMode | null): string {
    this.mode = mode ?? this.mode;
    const says: Readonly<Record<TypeMode, string>> = {
      error: "a cell with a mistake in its types does not run",
      warn: "a cell with a mistake in its types runs after a warning",
      off: "types are not checked",
    };
    return `Types: ${this.mode}: ${says[this.mode]}.`;
  }

  /**
   * @param warn gets what does not stop the cell, perhaps after it has started
   * @returns why the cell must not run, or null
   */
  async before(source: string, count: number, warn: (text: string) => void): Promise<RunOutcome | null> {
    if (this.mode === "off") return null;
    const check = this.language.check(source);
    const tell = (problems: readonly TypeProblem[]): void => {
      if (problems.length > 0) warn(`${report(problems, source, count).join("\n")}\n`);
    };
    const problems = await this.language.soon(check, PATIENCE_MS);
    if (problems === null) {
      check.then(tell, () => undefined);
      return null;
    }
    const blocks = this.mode === "error" && problems.some((problem) => problem.blocks);
    if (!blocks) {
      tell(problems);
      return null;
    }
    const worst = [...problems].sort((a, b) => Number(b.blocks) - Number(a.blocks));
    const { code, message } = worst[0]!;
    const [, ...details] = report(worst, source, count);
    return failure("TypeScriptError", `${message} (TS${code})`, [
      ...details,
      "Nothing was run. `%types warn` runs such cells, `%types off` does not check.",
    ]);
  }
}

function report(problems: readonly TypeProblem[], source: string, count: number): string[] {
  const starts = lineStarts(source);
  const lines = problems.slice(0, MOST_SHOWN).flatMap(({ code, message, offset, length }) => {
    const position = positionAt(starts, offset);
    return [
      `TypeScript: ${message} (TS${code})`,
      `  Cell[${count}].ts:${position.line}:${position.column}`,
      ...sourceFrame(source.split("\n"), position, length),
    ];
  });
  const rest = problems.length - MOST_SHOWN;
  return rest > 0 ? [...lines, `… ${rest} more`] : lines;
}
