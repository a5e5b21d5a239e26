/** Attributes as HTML spells them; `false` and `null` leave one out. */
export type Attributes = Readonly<Record<string, string | number | boolean | null>>;

/** An HTML element with attributes and children; text children are never parsed as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function svgElement<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Node[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) {
      made.setAttribute(name, String(value));
    }
  }
  made.append(...children);
  return made;
}

/** A table whose first row is its head; `numeric` lists the columns that align right. */
export function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly (Node | string)[])[],
  numeric: readonly number[] = [],
): HTMLTableElement {
  const cell = (tag: "td" | "th", content: Node | string, column: number): HTMLElement =>
    element(
      tag,
      { class: numeric.includes(column) ? "nl-mod-numeric" : null, scope: tag === "th" ? "col" : null },
      content,
    );
  return element(
    "table",
    { class: "nl-Table" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head.map((text, column) => cell("th", text, column)))),
    element(
      "tbody",
      {},
      ...rows.map((row) => element("tr", {}, ...row.map((content, column) => cell("td", content, column)))),
    ),
  );
}

/** A labelled drop-down; `choices` are [value, label]. */
export function select(
  label: string,
  choices: readonly (readonly [string, string])[],
  chosen: string,
  onChange: (value: string) => void,
): HTMLLabelElement {
  const box = element(
    "select",
    { class: "nl-Select" },
    ...choices.map(([value, text]) => element("option", { value, selected: value === chosen }, text)),
  );
  box.addEventListener("change", () => onChange(box.value));
  return element("label", { class: "nl-Field" }, element("span", {}, label), box);
}

/** A button; `pressed` makes it a toggle. */
export function button(
  text: string,
  title: string,
  onClick: () => void,
  pressed: boolean | null = null,
): HTMLButtonElement {
  const made = element(
    "button",
    { type: "button", class: "nl-Button", title, "aria-pressed": pressed === null ? null : String(pressed) },
    text,
  );
  made.addEventListener("click", onClick);
  return made;
}
