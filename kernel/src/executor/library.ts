import { TrainingDisplay, type Screen } from "../bridges/training-display.js";
import type { Content } from "../jupyter/protocol.js";
import type { FromMain } from "./messages.js";
import { ProgressBars } from "./progress.js";

type Post = (message: FromMain, buffers?: readonly Uint8Array[]) => void;

/** Listens to the library once a cell has imported it: displays in the cell, news for the panels. */
export class LibraryWatch {
  private listening: Promise<void> | null = null;

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
    const bars = new ProgressBars(screen);
    events.on("progress", (state) => bars.event(state));
  }
}
