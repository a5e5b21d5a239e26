const WIDTH = 520;
const HEIGHT = 200;
const MARGIN = { left: 52, right: 12, top: 10, bottom: 34 };
const MAX_POINTS = 600;

/** One polyline of loss against step, with both axes labelled; readable on light and dark ground. */
export function lossCurveSvg(losses: readonly number[], steps: number): string {
  const low = Math.min(...losses);
  const high = Math.max(...losses);
  const span = high - low || 1;
  const x = (step: number): number =>
    MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * (step - 1)) / Math.max(1, steps - 1);
  const y = (loss: number): number => MARGIN.top + (HEIGHT - MARGIN.top - MARGIN.bottom) * (1 - (loss - low) / span);
  const every = Math.ceil(losses.length / MAX_POINTS);
  const points = losses
    .map((loss, i) => ({ step: i + 1, loss }))
    .filter((_, i) => i % every === 0 || i === losses.length - 1)
    .map(({ step, loss }) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
  const ticks = [high, low + span / 2, low]
    .map(
      (loss) =>
        `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(loss).toFixed(1)}" y2="${y(loss).toFixed(1)}" stroke="currentColor" opacity="0.15"/>` +
        `<text x="${MARGIN.left - 6}" y="${(y(loss) + 4).toFixed(1)}" text-anchor="end">${loss.toFixed(3)}</text>`,
    )
    .join("");
  const bottom = HEIGHT - MARGIN.bottom;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" ` +
    `aria-label="loss from ${losses[0]!.toFixed(3)} to ${losses[losses.length - 1]!.toFixed(3)} over ${losses.length} steps" ` +
    `style="color:var(--jp-ui-font-color1,#777)" font-family="sans-serif" font-size="11" fill="currentColor">${ticks}` +
    `<polyline points="${points.join(" ")}" fill="none" stroke="var(--jp-brand-color1,#3a93e6)" stroke-width="1.5"/>` +
    `<text x="${MARGIN.left}" y="${bottom + 16}">1</text>` +
    `<text x="${WIDTH - MARGIN.right}" y="${bottom + 16}" text-anchor="end">${steps}</text>` +
    `<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${bottom + 28}" text-anchor="middle">step</text>` +
    `<text transform="translate(12 ${(MARGIN.top + bottom) / 2}) rotate(-90)" text-anchor="middle">loss</text></svg>`
  );
}

const BARS = "▁▂▃▄▅▆▇█";

/** The same curve in one line of text. */
export function sparkline(values: readonly number[], width = 40): string {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const columns = Math.min(width, values.length);
  return Array.from({ length: columns }, (_, column) => {
    const part = values.slice(
      Math.floor((column * values.length) / columns),
      Math.floor(((column + 1) * values.length) / columns),
    );
    const mean = part.reduce((sum, value) => sum + value, 0) / part.length;
    return BARS[Math.min(BARS.length - 1, Math.floor(((mean - low) / span) * BARS.length))]!;
  }).join("");
}
