import type { TranslationBundle } from "@jupyterlab/translation";
import { element } from "./dom.js";
import type { LinkState } from "./tokens.js";

export interface Notice {
  readonly title: string;
  /** What a person can do about it. */
  readonly hint: string;
}

/** What to say instead of data; null while connected. */
export function noticeFor(state: LinkState, trans: TranslationBundle): Notice | null {
  switch (state.kind) {
    case "no-notebook":
      return {
        title: trans.__("No notebook in use"),
        hint: trans.__("Open a notebook with the kernel “TypeScript (Nibble Lab)”, or click into one."),
      };
    case "no-kernel":
      return { title: trans.__("The notebook has no kernel"), hint: trans.__("Choose Kernel ▸ Change Kernel….") };
    case "connecting":
      return { title: trans.__("Connecting to the kernel…"), hint: "" };
    case "foreign":
      return {
        title: trans.__("This kernel does not report to Nibble Lab"),
        hint: trans.__("It is “%1”. Change it to “TypeScript (Nibble Lab)”.", state.kernel),
      };
    case "taken":
      return {
        title: trans.__("Another view listens to this kernel"),
        hint: trans.__("A kernel reports to one view per page. Click into the notebook that was opened first."),
      };
    case "mismatch":
      return {
        title: trans.__("Kernel and panel have different versions"),
        hint: trans.__("%1. Update the older one with npm run build, then reload the page.", state.message),
      };
    case "lost":
      return {
        title: trans.__("Contact with the kernel is lost"),
        hint: trans.__(
          "Last heard of at %1. What follows is what was known then.",
          new Date(state.since).toLocaleTimeString(),
        ),
      };
    case "connected":
      return null;
  }
}

/** A notice as a live region. */
export function noticeNode(notice: Notice): HTMLElement {
  return element(
    "div",
    { class: "nl-Notice", role: "status" },
    element("strong", {}, notice.title),
    element("span", {}, notice.hint),
  );
}
