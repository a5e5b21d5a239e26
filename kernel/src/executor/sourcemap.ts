import { applyEdits, originalOffset } from "../session/edits.js";
import type { CellMap } from "./messages.js";

export interface Position {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUE_OF = new Map([...DIGITS].map((digit, value) => [digit, value]));

/** [generated line][segment] = generated column, changed line, changed column; all from 0. */
type Segments = (readonly [number, number, number])[][];

/** Leads positions in a cell's program text back to what the user wrote. Decoded when the first error asks. */
export class CellPositions {
  private decoded: { segments: Segments; changedStarts: number[]; sourceStarts: number[] } | null = null;

  constructor(
    private readonly source: string,
    private readonly map: CellMap,
  ) {}

  /** False for a cell that another compiler made: where its text went is not told. */
  get isKnown(): boolean {
    return this.map.mappings !== "";
  }

  original(line: number, column: number): Position {
    const { segments, changedStarts, sourceStarts } = (this.decoded ??= this.decode());
    const generatedColumn = column - 1 - (line === 1 ? this.map.head : 0);
    const inLine = segments[line - 1] ?? [];
    const segment = inLine.findLast(([at]) => at <= generatedColumn) ?? inLine[0];
    if (segment === undefined) return { line: 1, column: 1 };
    const changed = (changedStarts[segment[1]] ?? 0) + segment[2] - this.map.prefix;
    const offset = originalOffset(this.map.edits, Math.max(0, changed)) - this.map.shift;
    return positionAt(sourceStarts, this.calleeStart(Math.min(Math.max(0, offset), this.source.length)));
  }

  /** V8 places `(0, f)(x)` at the second parenthesis, but `f(x)` at its name. */
  private calleeStart(offset: number): number {
    const name =
      this.source[offset] === "("
        ? /[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.exec(this.source.slice(0, offset))?.[0]
        : undefined;
    return offset - (name?.length ?? 0);
  }

  private decode() {
    const text = this.map.shift === 0 ? this.source : `(${this.source}\n)`;
    const changed = " ".repeat(this.map.prefix) + applyEdits(text, this.map.edits);
    return {
      segments: decodeMappings(this.map.mappings),
      changedStarts: lineStarts(changed),
      sourceStarts: lineStarts(this.source),
    };
  }
}

export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

export function positionAt(starts: readonly number[], offset: number): Position {
  const index = starts.findLastIndex((start) => start <= offset);
  return { line: index + 1, column: offset - starts[index]! + 1 };
}

/** Source map revision 3, base 64 VLQ; only one source. */
function decodeMappings(mappings: string): Segments {
  let sourceLine = 0;
  let sourceColumn = 0;
  return mappings.split(";").map((line) => {
    let generatedColumn = 0;
    if (line === "") return [];
    return line.split(",").map((segment) => {
      const [generated, , dLine, dColumn] = decodeVlq(segment);
      generatedColumn += generated ?? 0;
      sourceLine += dLine ?? 0;
      sourceColumn += dColumn ?? 0;
      return [generatedColumn, sourceLine, sourceColumn] as const;
    });
  });
}

function decodeVlq(text: string): number[] {
  const values: number[] = [];
  let value = 0;
  let shift = 0;
  for (const character of text) {
    const digit = VALUE_OF.get(character) ?? 0;
    value |= (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    values.push((value & 1) === 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return values;
}
