import { TrainingDisplay, type Screen } from "../bridges/training-display.js";
import type { Content } from "../jupyter/protocol.js";
import type { FromMain } from "./messages.js";
import { progressBundle } from "./progress.js";

type Post = (message: FromMain, buffers?: readonly Uint8Array[]) => void;
const PROGRESS_PERIOD_MS = 100;

/** Listens to the library once a cell has imported it: displays in the cell, news for the panels. */
export class LibraryWatch {
  private listening: Promise<void> | null = null;
  private readonly bars = new Map<string, number>();

  /** Where displays go; set before the first cell runs. */
  screen: Screen | null = null;

  constructor(private readonly post: Post) {}

  async imported(specifier: string): Promise<void> {
    this.post({ kind: "engine-loaded" });
    if (specifier.startsWith("nibble-lab")) await (this.listening ??= this.listen());
  }

  private async listen(): Promise<void> {
    const { events } = await import("nibble-lab/events");
    const screen = this.screen;
    if (screen === null) return;
    const training = new TrainingDisplay(screen);
    for (const name of ["training.start", "training.step", "training.end"] as const) {
      events.on(name, (event) => {
        training.event(name, event);
        this.post({ kind: "event", name, data: event as unknown as Content });
      });
    }
    events.on("pca.comparison", ({ comparison, coordinates }) => {
      const bytes = new Uint8Array(coordinates.buffer, coordinates.byteOffset, coordinates.byteLength).slice();
      this.post({ kind: "event", name: "pca.comparison", data: comparison as unknown as Content }, [bytes]);
    });
    events.on("progress", (state) => {
      const shownAt = this.bars.get(state.id);
      const isLast = state.total > 0 && state.done >= state.total;
      if (!isLast && shownAt !== undefined && Date.now() - shownAt < PROGRESS_PERIOD_MS) return;
      screen.show(progressBundle(state), `progress-${state.id}`, shownAt !== undefined);
      if (isLast) this.bars.delete(state.id);
      else this.bars.set(state.id, Date.now());
    });
  }
}
