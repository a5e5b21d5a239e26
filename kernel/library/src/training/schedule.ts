/** How the learning rate moves after the warm-up: `share` runs from 0 at its first step to 1 at the last. */
export const schedules = {
  constant: (): number => 1,
  cosine: (share: number): number => (1 + Math.cos(Math.PI * share)) / 2,
  linear: (share: number): number => 1 - share,
} as const;
export type ScheduleName = keyof typeof schedules;

/**
 * Learning rate of one step: rises linearly over `warmup` steps, then follows the schedule, which would reach 0 one step
 * after the last, so that no step is wasted.
 *
 * @param step 1 … steps
 */
export function learningRateAt(
  step: number,
  options: { schedule: ScheduleName; learningRate: number; steps: number; warmup: number },
): number {
  const { learningRate, steps, warmup } = options;
  if (step <= warmup) return (learningRate * step) / warmup;
  return learningRate * schedules[options.schedule]((step - 1 - warmup) / Math.max(1, steps - warmup));
}
