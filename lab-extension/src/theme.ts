/** Calls back on the frame after JupyterLab has changed its theme; returns the function that stops it. */
export function onThemeChange(callback: () => void): () => void {
  const observer = new MutationObserver(() => requestAnimationFrame(callback));
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"],
  });
  return () => observer.disconnect();
}

/** The values of JupyterLab's CSS variables at a node, by the names that drawing code uses. */
export interface ThemeColours {
  readonly background: string;
  readonly text: string;
  readonly faint: string;
  readonly grid: string;
  readonly warning: string;
  readonly brand: string;
  readonly font: string;
  readonly isLight: boolean;
}

export function themeColours(node: Element): ThemeColours {
  const style = getComputedStyle(node);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  return {
    background: value("--jp-layout-color1") || "#ffffff",
    text: value("--jp-ui-font-color1") || "#212121",
    faint: value("--jp-ui-font-color2") || "#616161",
    grid: value("--jp-border-color2") || "#e0e0e0",
    warning: value("--jp-error-color1") || "#d32f2f",
    brand: value("--jp-brand-color1") || "#1976d2",
    font: value("--jp-ui-font-family") || "sans-serif",
    isLight: document.body.dataset["jpThemeLight"] !== "false",
  };
}
