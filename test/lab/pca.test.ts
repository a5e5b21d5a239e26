import type { PcaComparison } from "@nibble-lab/messages";
import { between, colourPoints, type Palette } from "@nibble-lab/lab-extension/lib/pca/colour.js";
import { pcaFigure, wrap } from "@nibble-lab/lab-extension/lib/pca/figure.js";
import { Comparison, PcaModel } from "@nibble-lab/lab-extension/lib/pca/model.js";
import type { IKernelFeed, IReceived, LinkState } from "@nibble-lab/lab-extension/lib/tokens.js";
import { Signal } from "@lumino/signaling";
import { describe, expect, it, vi } from "vitest";

const LAYERS = 3;
const POINTS = 5;
const COMPONENTS = 4;

const meta: PcaComparison = {
  kind: "pca.comparison",
  id: "one",
  models: ["full precision", "rtn, 2 bits <per channel>"],
  hook: "blocks.{i}.hook_resid_post",
  layers: ["blocks.0.hook_resid_post", "blocks.1.hook_resid_post", "blocks.2.hook_resid_post"],
  points: POINTS,
  sampled: { from: POINTS, method: "all", seed: 0 },
  components: COMPONENTS,
  explained: Array.from({ length: LAYERS }, () => [0.5, 0.25, 0.1, 0.05]),
  displacement: [0.1, 0.2, 0.3],
  tokens: [" the", " cat", " sat", " the", " dog"],
  promptOf: [0, 0, 0, 1, 1],
  prompts: ["the cat sat", "the dog"],
};

/** A number that says where it lies: [layer, side, point, component]. */
const place = (layer: number, side: number, point: number, component: number): number =>
  1_000 * layer + 100 * side + 10 * point + component;

function coordinates(): Float32Array {
  const all: number[] = [];
  for (let layer = 0; layer < LAYERS; layer++)
    for (let side = 0; side < 2; side++)
      for (let point = 0; point < POINTS; point++)
        for (let component = 0; component < COMPONENTS; component++) all.push(place(layer, side, point, component));
  return new Float32Array(all);
}

const comparison = new Comparison(meta, coordinates());

/** The feed's signals without a kernel behind them. */
class Feed implements IKernelFeed {
  readonly state = { kind: "no-kernel" } as const;
  readonly source = { kernelId: "k", title: "a.ipynb" };
  readonly stateChanged: Signal<IKernelFeed, LinkState> = new Signal(this);
  readonly received: Signal<IKernelFeed, IReceived> = new Signal(this);

  send(message: PcaComparison, values: Float32Array): void {
    this.received.emit({ source: this.source, message, buffers: [values.slice().buffer] });
  }
}

const theme = {
  background: "#fff",
  text: "#000",
  faint: "#555",
  grid: "#ddd",
  warning: "#d00",
  brand: "#00d",
  font: "sans-serif",
  isLight: true,
};
const palette: Palette = {
  groups: ["#000001", "#000002"],
  rest: "#aaaaaa",
  scale: ["#000000", "#ffffff"],
  restLabel: "other",
};

describe("Comparison", () => {
  it("reads [layer, model, point, component] in row-major order", () => {
    expect(comparison.at(2, 1, 3, 1)).toBe(place(2, 1, 3, 1));
    expect([...comparison.axis(1, 0, 2)]).toEqual([0, 1, 2, 3, 4].map((point) => place(1, 0, point, 2)));
  });

  it("refuses a buffer of another size, and says which one it needs", () => {
    expect(() => new Comparison(meta, new Float32Array(7))).toThrow("need 120");
  });

  it("measures how far a point moved over all components", () => {
    expect(comparison.moved(0)[0]).toBeCloseTo(Math.sqrt(COMPONENTS * 100 ** 2), 3);
  });

  it("counts positions within each prompt", () => {
    expect(comparison.positions).toEqual([0, 1, 2, 0, 1]);
  });

  it("spans both models, so that no point of either lies outside", () => {
    const [low, high] = comparison.range([1], 0);
    for (const side of [0, 1] as const) {
      for (const value of comparison.axis(1, side, 0)) {
        expect(value).toBeGreaterThan(low);
        expect(value).toBeLessThan(high);
      }
    }
  });
});

describe("PcaModel", () => {
  it("shows a comparison as soon as it arrives, newest first, each id once", () => {
    const feed = new Feed();
    const model = new PcaModel(feed);
    feed.send(meta, coordinates());
    feed.send({ ...meta, id: "two" }, coordinates());
    feed.send(meta, coordinates());
    expect(model.comparisons.map((one) => one.meta.id)).toEqual(["one", "two"]);
    expect(model.current).toBe(model.comparisons[0]);
  });

  it("takes what a kernel repeats on connecting for no news, and what comes later for news", () => {
    vi.useFakeTimers();
    const feed = new Feed();
    const model = new PcaModel(feed);
    let news = 0;
    model.arrived.connect(() => news++);
    const hello = { kind: "hello", schema: 1, kernelVersion: "0.1.0", session: "s" } as const;
    feed.received.emit({ source: feed.source, message: hello, buffers: [] });
    feed.send(meta, coordinates());
    expect(news).toBe(0);
    vi.advanceTimersByTime(5_000);
    feed.send({ ...meta, id: "two" }, coordinates());
    expect(news).toBe(1);
    vi.useRealTimers();
  });

  it("keeps the layer within the model's", () => {
    const feed = new Feed();
    const model = new PcaModel(feed);
    feed.send(meta, coordinates());
    model.setLayer(99);
    expect(model.layer).toBe(LAYERS - 1);
    model.setLayer(-1);
    expect(model.layer).toBe(0);
  });

  it("reports a comparison that cannot be read and keeps the one before", () => {
    const feed = new Feed();
    const model = new PcaModel(feed);
    feed.send(meta, coordinates());
    feed.send({ ...meta, id: "broken" }, new Float32Array(3));
    expect(model.problem).toContain("3 coordinates came");
    expect(model.current?.meta.id).toBe("one");
  });

  it("uses one range for all layers on request", () => {
    const feed = new Feed();
    const model = new PcaModel(feed);
    feed.send(meta, coordinates());
    model.setLayer(0);
    const [own] = model.ranges;
    model.setSameScale(true);
    expect(model.ranges[0][1]).toBeGreaterThan(own[1]);
    model.setLayer(2);
    expect(model.ranges[0]).toEqual(comparison.range([0, 1, 2], 0));
  });
});

describe("pcaFigure", () => {
  const colours = colourPoints(comparison, 1, "prompt", palette);
  const ranges = [comparison.range([1], 0), comparison.range([1], 1)] as const;
  const { data, layout } = pcaFigure({
    comparison,
    layer: 1,
    axes: [0, 1],
    ranges,
    isSameScale: false,
    colours,
    theme,
    width: 600,
  });

  it("draws both models on axes with the same ranges that move together", () => {
    const axis = (name: string): Record<string, unknown> => layout[name] as Record<string, unknown>;
    expect(axis("xaxis2")["range"]).toEqual(axis("xaxis")["range"]);
    expect(axis("yaxis2")["range"]).toEqual(axis("yaxis")["range"]);
    expect(axis("xaxis2")["matches"]).toBe("x");
    expect(axis("yaxis2")["matches"]).toBe("y");
  });

  it("puts the first model left and the second right, point for point", () => {
    expect([...(data[0]!["x"] as Float32Array)]).toEqual([...comparison.axis(1, 0, 0)]);
    expect([...(data[1]!["y"] as Float32Array)]).toEqual([...comparison.axis(1, 1, 1)]);
    expect(data.map((trace) => trace["xaxis"])).toEqual(["x", "x2"]);
  });

  it("breaks a long name between words and shortens what still does not fit", () => {
    expect(wrap("full precision", 20)).toEqual(["full precision"]);
    expect(wrap("rtn, 2-bit round to nearest", 16)).toEqual(["rtn, 2-bit round", "to nearest"]);
    expect(wrap("abcdefgh ijklmnop qrst", 8)).toEqual(["abcdefgh", "ijklmno…"]);
  });

  it("shows a model's name as text, not as markup", () => {
    expect(JSON.stringify(layout["annotations"])).toContain("&lt;per channel>");
  });
});

describe("colourPoints", () => {
  it("changes the shape when the colours begin again", () => {
    const prompts = ["a", "b", "c"];
    const many = new Comparison({ ...meta, prompts, promptOf: [0, 1, 2, 0, 1] }, coordinates());
    const { colour, shape } = colourPoints(many, 0, "prompt", palette);
    expect(colour[2]).toBe(colour[0]);
    expect(shape[2]).not.toBe(shape[0]);
  });

  it("names the most frequent tokens first", () => {
    expect(colourPoints(comparison, 0, "token", palette).groups?.[0]?.label).toBe("␣the");
  });

  it("runs the scale from the smallest to the largest value", () => {
    const { colour, scale } = colourPoints(comparison, 0, "position", palette);
    expect([colour[0], colour[2]]).toEqual(["#000000", "#ffffff"]);
    expect(scale).toMatchObject({ low: 0, high: 2 });
  });

  it("mixes colours channel by channel", () => {
    expect(between(["#000000", "#ffffff", "#ff0000"], 0.25)).toBe("#808080");
    expect(between(["#000000", "#ffffff", "#ff0000"], 1)).toBe("#ff0000");
  });
});
