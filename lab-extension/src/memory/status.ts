import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";
import { element } from "../dom.js";
import { formatBytes, type ByteUnits } from "../format.js";
import type { MemoryModel } from "./model.js";

/** "Memory 12.3 MiB" in the status bar; a click opens the panel. */
export class MemoryStatus extends Widget {
  constructor(private readonly options: MemoryStatus.IOptions) {
    super();
    const { trans } = options;
    const title = trans.__("Bytes that tensors of the kernel in use hold. Click to open the Memory panel.");
    this._button = element("button", { type: "button", class: "jp-StatusBar-TextItem nl-Status", title });
    this._button.addEventListener("click", () => options.open());
    this.node.append(this._button);
    options.model.changed.connect(this.refresh, this);
    this.refresh();
  }

  setUnits(units: ByteUnits): void {
    this._units = units;
    this.refresh();
  }

  override dispose(): void {
    this.options.model.changed.disconnect(this.refresh, this);
    super.dispose();
  }

  private refresh(): void {
    const latest = this.options.model.history?.latest;
    const live = latest?.devices.reduce((sum, device) => sum + device.live, 0);
    const text = live === undefined ? "–" : formatBytes(live, this._units);
    const label = this.options.trans.__("Memory %1", text);
    if (this._button.textContent !== label) {
      this._button.textContent = label;
    }
  }

  private _button: HTMLButtonElement;
  private _units: ByteUnits = "binary";
}

export namespace MemoryStatus {
  export interface IOptions {
    readonly model: MemoryModel;
    readonly trans: TranslationBundle;
    readonly open: () => void;
  }
}
