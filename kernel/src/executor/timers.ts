import type { Cells } from "./cells.js";

type Schedule = (callback: (...given: unknown[]) => unknown, ...rest: unknown[]) => unknown;

/**
 * A timer keeps the cell that set it: what its callback prints, up to the first `await` in it, is shown there, also while
 * another cell runs. (Node could follow awaits too, with `AsyncLocalStorage`, but then aborts on the interrupt, up to Node 22.)
 */
export function keepCellOfTimers(cells: Cells): void {
  for (const name of ["setTimeout", "setInterval", "setImmediate"] as const) {
    const schedule = globalThis[name] as Schedule;
    const keeping: Schedule = (callback, ...rest) => {
      const run = cells.current;
      // Node says what is wrong with a callback that is none.
      if (run === null || typeof callback !== "function") return schedule(callback, ...rest);
      return schedule((...given: unknown[]) => cells.within(run, () => callback(...given)), ...rest);
    };
    Object.defineProperties(keeping, Object.getOwnPropertyDescriptors(schedule)); // `util.promisify` finds its own form here
    globalThis[name] = keeping as never;
  }
}
