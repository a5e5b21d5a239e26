import type { ILabShell, JupyterFrontEnd } from "@jupyterlab/application";
import type { ISessionContext } from "@jupyterlab/apputils";
import type { INotebookTracker } from "@jupyterlab/notebook";
import type { Widget } from "@lumino/widgets";
import type { KernelFeed } from "./comm.js";

interface WithSession extends Widget {
  readonly sessionContext: ISessionContext;
}

/**
 * Keep the feed on the notebook or console that was used last: clicking into a panel or a text editor changes nothing.
 *
 * @param labShell null in front ends without one, such as Notebook: then only notebooks are followed
 */
export function followCurrent(
  feed: KernelFeed,
  shell: JupyterFrontEnd.IShell,
  labShell: ILabShell | null,
  notebooks: INotebookTracker,
): void {
  const follow = (widget: Widget | null): void => {
    if (widget && hasSession(widget)) {
      feed.follow(listening(widget, shell).sessionContext, widget.title.label);
    }
  };
  labShell?.currentChanged.connect((_, { newValue }) => follow(newValue));
  notebooks.currentChanged.connect((_, panel) => follow(panel));
  follow(notebooks.currentWidget);
}

/** Of the views on this view's kernel, the one whose connection carries comms; there is at most one per page. */
function listening(widget: WithSession, shell: JupyterFrontEnd.IShell): WithSession {
  const kernel = widget.sessionContext.session?.kernel;
  if (!kernel || kernel.handleComms) {
    return widget;
  }
  for (const other of shell.widgets("main")) {
    const candidate = hasSession(other) ? other.sessionContext.session?.kernel : null;
    if (candidate?.id === kernel.id && candidate.handleComms) {
      return other as WithSession;
    }
  }
  return widget;
}

function hasSession(widget: Widget): widget is WithSession {
  return "sessionContext" in widget && typeof (widget as WithSession).sessionContext?.kernelChanged === "object";
}
