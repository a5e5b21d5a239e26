import { CATEGORIES, type Category } from "@nibble-lab/messages";
import { formatBytes, type ByteUnits } from "../format.js";
import { byteTicks, cellBands, columns, deviceAt, windowOf, type Instant } from "./model.js";

export interface ChartView {
  readonly instants: readonly Instant[];
  readonly device: string;
  /** Milliseconds since the epoch, left and right edge. */
  readonly from: number;
  readonly to: number;
  /** The instant that the keys or the pointer chose. */
  readonly cursor: Instant | null;
  readonly units: ByteUnits;
}

export interface ChartColours {
  readonly categories: Readonly<Record<Category, string>>;
  readonly background: string;
  readonly text: string;
  readonly faint: string;
  readonly grid: string;
  readonly warning: string;
  readonly cellBand: string;
  readonly font: string;
}

const TOP = 16;
const BOTTOM = 36;
const LEFT = 58;
const RIGHT = 10;
const BAND_TOP = 18;
const BAND_HEIGHT = 15;
/** Narrowest cell band that gets its number. */
const LABEL_WIDTH = 22;

/** Where time and bytes lie on a canvas of this size. */
export interface Scales {
  readonly width: number;
  readonly height: number;
  readonly ticks: readonly number[];
  x(time: number): number;
  y(bytes: number): number;
  time(x: number): number;
}

/** Axes for a view: bytes from 0 to a round number above the largest live or peak shown. */
export function scales(view: ChartView, width: number, height: number): Scales {
  const live = windowOf(view.instants, view.from, view.to).map((instant) => deviceAt(instant, view.device).live);
  const top = live.reduce((most, bytes) => Math.max(most, bytes), 1000);
  const ticks = byteTicks(
    top * 1.06,
    Math.max(2, Math.floor((height - TOP - BOTTOM) / 42)),
    view.units === "decimal" ? 1000 : 1024,
  );
  const highest = ticks[ticks.length - 1] || 1;
  const span = Math.max(view.to - view.from, 1);
  return {
    width,
    height,
    ticks,
    x: (time) => LEFT + ((time - view.from) / span) * (width - LEFT - RIGHT),
    y: (bytes) => height - BOTTOM - (bytes / highest) * (height - TOP - BOTTOM),
    time: (x) => view.from + ((x - LEFT) / Math.max(width - LEFT - RIGHT, 1)) * span,
  };
}

/** Draw the whole chart; the context's units are CSS pixels. */
export function draw(
  ctx: CanvasRenderingContext2D,
  view: ChartView,
  colours: ChartColours,
  width: number,
  height: number,
): void {
  const at = scales(view, width, height);
  ctx.clearRect(0, 0, width, height);
  ctx.font = `11px ${colours.font}`;
  drawGrid(ctx, view, at, colours);
  const inside = windowOf(view.instants, view.from, view.to);
  const shown = columns(inside, view.device, view.from, view.to, Math.max(width - LEFT - RIGHT, 1));
  const all = runs(shown);
  all.forEach((run, i) => {
    const last = run[run.length - 1]?.time ?? 0;
    drawStack(ctx, { instants: run, until: i === all.length - 1 ? view.to : last }, view.device, at, colours);
  });
  drawBands(ctx, inside, at, colours);
  drawLimit(ctx, view, at, colours);
  if (view.cursor) {
    drawCursor(ctx, view, view.cursor, at, colours);
  }
}

/** Stretches without a hole. */
function runs(instants: readonly Instant[]): Instant[][] {
  const all: Instant[][] = [];
  for (const instant of instants) {
    const open = all[all.length - 1];
    if (open && !instant.afterGap) {
      open.push(instant);
    } else {
      all.push([instant]);
    }
  }
  return all;
}

function drawGrid(ctx: CanvasRenderingContext2D, view: ChartView, at: Scales, colours: ChartColours): void {
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  ctx.lineWidth = 1;
  for (const tick of at.ticks) {
    const y = Math.round(at.y(tick)) + 0.5;
    ctx.strokeStyle = colours.grid;
    ctx.beginPath();
    ctx.moveTo(LEFT, y);
    ctx.lineTo(at.width - RIGHT, y);
    ctx.stroke();
    ctx.fillStyle = colours.faint;
    ctx.fillText(tick === 0 ? "0" : formatBytes(tick, view.units).replace(/\.?0+ /, " "), LEFT - 6, y);
  }
  ctx.textBaseline = "top";
  const seconds = (view.to - view.from) / 1000;
  const step =
    [5, 10, 15, 30, 60, 120, 300, 600, 1200].find((candidate) => seconds / candidate <= at.width / 90) ?? 1800;
  for (let ago = 0; ago <= seconds; ago += step) {
    const x = at.x(view.to - ago * 1000);
    ctx.textAlign = ago === 0 ? "right" : x < LEFT + 16 ? "left" : "center";
    ctx.fillText(ago === 0 ? "0 s" : ago % 60 === 0 ? `−${ago / 60} min` : `−${ago} s`, x, at.height - BOTTOM + 4);
  }
}

/** Instants without a hole between them; the last one holds until `until`. */
interface Run {
  readonly instants: readonly Instant[];
  readonly until: number;
}

function drawStack(ctx: CanvasRenderingContext2D, run: Run, device: string, at: Scales, colours: ChartColours): void {
  const height = run.instants.map(() => 0);
  CATEGORIES.forEach((category, index) => {
    const below = [...height];
    run.instants.forEach((instant, i) => {
      height[i] = (height[i] ?? 0) + (deviceAt(instant, device).byCategory[index] ?? 0);
    });
    if (height.every((bytes, i) => bytes === below[i])) {
      return;
    }
    const upper = steps(run, height, at);
    ctx.beginPath();
    trace(ctx, upper);
    trace(ctx, steps(run, below, at).reverse());
    ctx.closePath();
    ctx.fillStyle = colours.categories[category];
    ctx.fill();
    // Treads only: on spikes a few pixels wide, risers would cover the colour.
    ctx.beginPath();
    upper.forEach(([x, y], i) => (i % 2 === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y)));
    ctx.strokeStyle = colours.background;
    ctx.lineWidth = 1;
    ctx.stroke();
  });
}

/** Corners of a staircase: bytes jump, they do not glide. */
function steps(run: Run, heights: readonly number[], at: Scales): [number, number][] {
  return run.instants.flatMap((instant, i): [number, number][] => {
    const y = at.y(heights[i] ?? 0);
    const end = run.instants[i + 1]?.time ?? run.until;
    return [
      [at.x(instant.time), y],
      [at.x(end), y],
    ];
  });
}

function trace(ctx: CanvasRenderingContext2D, corners: readonly (readonly [number, number])[]): void {
  for (const [x, y] of corners) {
    ctx.lineTo(x, y);
  }
}

function drawBands(
  ctx: CanvasRenderingContext2D,
  instants: readonly Instant[],
  at: Scales,
  colours: ChartColours,
): void {
  const top = at.height - BAND_TOP;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const band of cellBands(instants)) {
    const left = at.x(band.from);
    const width = Math.max(at.x(band.to) - left, 2);
    ctx.fillStyle = colours.cellBand;
    ctx.beginPath();
    ctx.roundRect(left, top, width, BAND_HEIGHT, 2);
    ctx.fill();
    if (width >= LABEL_WIDTH) {
      ctx.fillStyle = colours.text;
      ctx.fillText(`[${band.cell}]`, left + width / 2, top + BAND_HEIGHT / 2 + 0.5);
    }
  }
}

function drawLimit(ctx: CanvasRenderingContext2D, view: ChartView, at: Scales, colours: ChartColours): void {
  const last = view.instants[view.instants.length - 1];
  const limit = last ? deviceAt(last, view.device).limit : 0;
  const y = at.y(limit);
  if (limit <= 0 || y < TOP) {
    return;
  }
  ctx.strokeStyle = colours.warning;
  ctx.setLineDash([5, 3]);
  ctx.beginPath();
  ctx.moveTo(LEFT, y);
  ctx.lineTo(at.width - RIGHT, y);
  ctx.stroke();
  ctx.setLineDash([]);
}

function drawCursor(
  ctx: CanvasRenderingContext2D,
  view: ChartView,
  cursor: Instant,
  at: Scales,
  colours: ChartColours,
): void {
  const x = Math.round(at.x(cursor.time)) + 0.5;
  if (x < LEFT) {
    return;
  }
  ctx.strokeStyle = colours.text;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(x, TOP - 6);
  ctx.lineTo(x, at.height - BOTTOM);
  ctx.stroke();
  ctx.beginPath();
  ctx.arc(x, at.y(deviceAt(cursor, view.device).live), 3, 0, 2 * Math.PI);
  ctx.fillStyle = colours.background;
  ctx.fill();
  ctx.stroke();
}
