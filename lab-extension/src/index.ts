import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, MainAreaWidget, WidgetTracker } from "@jupyterlab/apputils";
import { ILauncher } from "@jupyterlab/launcher";
import { INotebookTracker } from "@jupyterlab/notebook";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStatusBar } from "@jupyterlab/statusbar";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";
import { KernelFeed } from "./comm.js";
import { CommandIDs } from "./commands.js";
import type { ByteUnits } from "./format.js";
import { followCurrent } from "./follow.js";
import { memoryIcon, pcaIcon } from "./icons.js";
import { MemoryModel } from "./memory/model.js";
import { MemoryStatus } from "./memory/status.js";
import { MemoryPanel } from "./memory/widget.js";
import { PcaModel } from "./pca/model.js";
import { PcaPanel } from "./pca/widget.js";
import { IKernelFeed } from "./tokens.js";

const CATEGORY = "Nibble Lab";
const DOMAIN = "nibble_lab";
const NO_ARGUMENTS = { args: { type: "object", properties: {} } } as const;

const feed: JupyterFrontEndPlugin<IKernelFeed> = {
  id: "@nibble-lab/lab-extension:feed",
  description: "Listens to the Nibble Lab kernel of the notebook or console in use.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILabShell],
  provides: IKernelFeed,
  activate: (app: JupyterFrontEnd, notebooks: INotebookTracker, labShell: ILabShell | null) => {
    const made = new KernelFeed();
    followCurrent(made, app.shell, labShell, notebooks);
    return made;
  },
};

const memory: JupyterFrontEndPlugin<void> = {
  id: "@nibble-lab/lab-extension:memory",
  description: "Shows the bytes that tensors hold, by category and owner, while cells run.",
  autoStart: true,
  requires: [IKernelFeed],
  optional: [ICommandPalette, ILauncher, ILayoutRestorer, ISettingRegistry, IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    source: IKernelFeed,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const model = new MemoryModel(source);
    const panel = new MemoryPanel({ feed: source, model, trans });
    panel.id = "nibble-lab-memory";
    panel.title.icon = memoryIcon;
    panel.title.caption = trans.__("Memory (Nibble Lab)");
    app.shell.add(panel, "right", { rank: 900, type: CATEGORY });
    restorer?.add(panel, panel.id);

    const command = CommandIDs.openMemory;
    app.commands.addCommand(command, {
      label: trans.__("Memory"),
      caption: trans.__("Bytes that tensors hold, by category and owner, while cells run"),
      icon: memoryIcon,
      describedBy: NO_ARGUMENTS,
      execute: () => app.shell.activateById(panel.id),
    });
    palette?.addItem({ command, category: CATEGORY });
    launcher?.add({ command, category: CATEGORY, rank: 1 });

    const status = new MemoryStatus({ model, trans, open: () => void app.commands.execute(command) });
    statusBar?.registerStatusItem("@nibble-lab/lab-extension:memory", { item: status, align: "left", rank: 50 });

    const apply = (loaded: ISettingRegistry.ISettings): void => {
      const units = loaded.get("byteUnits").composite as ByteUnits;
      panel.setUnits(units);
      status.setUnits(units);
      panel.setWindow(loaded.get("window").composite as number);
    };
    void settings?.load(memory.id).then((loaded) => {
      loaded.changed.connect(apply);
      apply(loaded);
    });
  },
};

const pca: JupyterFrontEndPlugin<void> = {
  id: "@nibble-lab/lab-extension:pca",
  description: "Compares the activations of two models in one basis, layer by layer.",
  autoStart: true,
  requires: [IKernelFeed],
  optional: [ICommandPalette, ILauncher, ILayoutRestorer, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    source: IKernelFeed,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const model = new PcaModel(source);
    const tracker = new WidgetTracker<MainAreaWidget<PcaPanel>>({ namespace: "nibble-lab-pca" });
    const command = CommandIDs.openPca;

    const open = (activate: boolean): MainAreaWidget<PcaPanel> => {
      let widget = tracker.currentWidget;
      if (!widget) {
        widget = new MainAreaWidget({ content: new PcaPanel({ feed: source, model, trans }) });
        widget.id = "nibble-lab-pca";
        widget.title.label = trans.__("PCA compare");
        widget.title.icon = pcaIcon;
        widget.title.closable = true;
        app.shell.add(widget, "main", { mode: "split-right", activate, type: CATEGORY });
        void tracker.add(widget);
      }
      if (activate) {
        app.shell.activateById(widget.id);
      }
      return widget;
    };
    app.commands.addCommand(command, {
      label: trans.__("PCA compare"),
      caption: trans.__("Activations of two models side by side in one basis, layer by layer"),
      icon: pcaIcon,
      describedBy: NO_ARGUMENTS,
      execute: () => open(true),
    });
    const step = (id: string, label: string, by: number): void => {
      app.commands.addCommand(id, {
        label,
        isEnabled: () => tracker.currentWidget !== null,
        describedBy: NO_ARGUMENTS,
        execute: () => model.setLayer(model.layer + by),
      });
      palette?.addItem({ command: id, category: CATEGORY });
    };
    step(CommandIDs.previousLayer, trans.__("PCA compare: previous layer"), -1);
    step(CommandIDs.nextLayer, trans.__("PCA compare: next layer"), 1);
    palette?.addItem({ command, category: CATEGORY });
    launcher?.add({ command, category: CATEGORY, rank: 2 });
    void restorer?.restore(tracker, { command, name: () => "pca" });
    void settings?.load(pca.id).then((loaded) => {
      model.arrived.connect(() => loaded.get("openOnCompare").composite === true && open(false));
    });
  },
};

export default [feed, memory, pca];
