import { describe, expect, it } from "vitest";
import { DOCUMENT_SEPARATOR, TextDataset } from "nibble-lab/data";

const display = Symbol.for("Jupyter.display");

describe("text dataset", () => {
  it("streams its documents anew until they are asked for as a list", () => {
    let made = 0;
    const set = new TextDataset("two", function* () {
      for (const text of ["one", "two"]) {
        made++;
        yield { text };
      }
    });
    expect([...set]).toEqual(["one", "two"]);
    for (const text of set) if (text === "one") break;
    expect(made).toBe(3);
    expect(set.documents.length).toBe(2);
    expect([...set]).toEqual(["one", "two"]);
    expect(made).toBe(5);
    expect(set.text).toBe(`one${DOCUMENT_SEPARATOR}two${DOCUMENT_SEPARATOR}`);
  });

  it("shows itself in a few short lines, safe as HTML", () => {
    const set = new TextDataset("many", () =>
      Array.from({ length: 50 }, (_, index) => ({ text: `<b>${index}</b>`.repeat(99) })),
    );
    const bundle = (set as unknown as Record<symbol, () => Record<string, string>>)[display]!();
    expect(bundle["text/plain"]!.split("\n").length).toBe(6);
    expect(bundle["text/plain"]).toContain("many: 50 documents");
    expect(bundle["text/html"]).not.toContain("<b>0</b>");
  });
});
