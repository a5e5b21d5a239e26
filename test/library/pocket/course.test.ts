import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { liveTensors, loadTokenizer, type Tokenizer } from "nibble-lab";
import { data, documentKinds } from "nibble-lab/data";
import { runCourse, type CourseOptions } from "../../../kernel/library/pocket/training/lib/course.js";
import { encodeDocument } from "../../../kernel/library/pocket/training/lib/encode.js";
import { stages } from "../../../kernel/library/pocket/training/lib/stages.js";

const folder = mkdtempSync(join(tmpdir(), "pocket-course-"));
let tokenizer: Tokenizer;
beforeAll(async () => {
  const path = new URL("../../../kernel/library/pocket/training/tokenizer", import.meta.url);
  tokenizer = await loadTokenizer(fileURLToPath(path));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A model of 16 numbers a token, in two stages of which the first would end early if it learned something. */
function options(name: string, changes: Partial<CourseOptions> = {}): CourseOptions {
  return {
    out: join(folder, name),
    stages: [
      {
        name: "match",
        shares: { pairs: 1 },
        steps: 4,
        schedule: "constant",
        warmup: 2,
        until: { task: "letter", right: 1 },
      },
      { name: "decay", steps: 5, schedule: "linear", warmup: 0 },
    ],
    pocket: data.pocket2,
    architecture: { vocabSize: 3072, hiddenSize: 16, intermediateSize: 32, layers: 2, heads: 2, maxPositions: 64 },
    tokenizer,
    seed: 3,
    batchSize: 2,
    length: 48,
    optimizer: "muon",
    learningRate: 4e-3,
    weightDecay: 0.05,
    checkpointEvery: 2,
    ...changes,
  };
}

async function weightsAfter(course: CourseOptions): Promise<Map<string, number[]>> {
  using model = await runCourse(course);
  return new Map([...model.namedTensors()].map(([name, tensor]) => [name, [...tensor.arraySync()]]));
}
const log = (name: string) => readFileSync(join(folder, name, "loss.csv"), "utf8");

describe("a staged course", () => {
  it("ends with the same bytes however often it was killed and begun again", async () => {
    const before = liveTensors();
    const expected = await weightsAfter(options("whole"));
    let seen = 0;
    const killed = options("killed", {
      report: () => {
        // In the middle of a part, at its first step, at its last: each time what stands behind the checkpoint is lost.
        if ([3, 5, 9, 12].includes(++seen)) throw new Error("killed");
      },
    });
    let kills = 0;
    for (;;) {
      try {
        expect(await weightsAfter(killed)).toEqual(expected);
        break;
      } catch (error) {
        if (!(error instanceof Error) || error.message !== "killed") throw error;
        kills++;
      }
    }
    expect(kills).toBe(4);
    expect(log("killed")).toBe(log("whole"));
    expect(
      log("whole")
        .split("\n")
        .slice(1, -1)
        .map((line) => line.split(",").slice(0, 2).join(" ")),
    ).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((step) => `${step} ${step <= 4 ? "match" : "decay"}`));
    expect(liveTensors()).toBe(before);
  }, 60_000);

  it("follows its seed, and ends a stage once its task is learned", async () => {
    const [first] = options("seeds").stages;
    const early = { ...first!, until: { task: "letter", right: 0 } } as const;
    const course = options("early", { stages: [early], seed: 4 });
    await weightsAfter(course);
    expect(JSON.parse(readFileSync(join(folder, "early", "stages.json"), "utf8"))).toEqual([
      { name: "match", steps: 2 },
    ]);
    expect(log("early").split("\n")[1]).not.toBe(log("whole").split("\n")[1]);
  }, 60_000);
});

describe("the stages", () => {
  it("name kinds of text that there are, and from the second on repeat at least a fifth of plain text", () => {
    for (const { shares } of stages)
      for (const kind of Object.keys(shares ?? {})) expect(Object.keys(documentKinds)).toContain(kind);
    for (const { shares } of stages.slice(1)) {
      const all =
        shares ?? Object.fromEntries(Object.entries(documentKinds).map(([kind, { share }]) => [kind, share[2]]));
      const text = ["facts", "description", "negations", "story", "arithmetic"].map(
        (kind) => all[kind as "facts"] ?? 0,
      );
      const total = Object.values(all).reduce((sum: number, share) => sum + share, 0);
      expect(text.reduce((sum, share) => sum + share, 0) / total).toBeGreaterThan(0.2);
    }
    expect(stages.at(-1)!.schedule).toBe("linear");
  });

  it("read documents with one weight a token: none for a claim, most for its verdict", () => {
    for (const document of data.pocket2.text("train", { documents: 200, shares: { judged: 1 } }).documents) {
      const { tokens, weights } = encodeDocument(tokenizer, document);
      expect(Array.from(tokens)).toEqual([0, ...tokenizer.encode(document.text, { bos: false })]);
      expect(weights.length).toBe(tokens.length);
      Array.from(tokens).forEach((token, i) => {
        const piece = tokenizer.token(token);
        if (piece === "Ġtrue" || piece === "Ġfalse") expect(weights[i]).toBe(3);
        if (piece === "Claim" || piece === "Statement") expect(weights[i]).toBe(0);
      });
    }
  });
});
