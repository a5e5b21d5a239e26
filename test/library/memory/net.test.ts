import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { liveTensors, memory, releasePooledMemory, Tensor } from "nibble-lab";

/** Runs a module in a process of its own, with the library at hand; its last line is JSON. */
function alone(source: string): Record<string, number> {
  const program = `import * as lab from "nibble-lab";\n${source}`;
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const child = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: root,
    encoding: "utf8",
  });
  expect(child.stderr).toBe("");
  return JSON.parse(child.stdout.trim().split("\n").at(-1)!) as Record<string, number>;
}

describe("tensors that everybody forgot", () => {
  const report = `console.log(JSON.stringify({
    peak: process.resourceUsage().maxRSS / 1024, live: lab.liveTensors(), collected: lab.collectedTensors(),
  }));`;

  it("are freed in a loop without awaits: a million small ones stay below 200 MB", { timeout: 240_000 }, () => {
    const { peak, collected } = alone(`for (let i = 0; i < 1e6; i++) lab.Tensor.zeros([16]);${report}`);
    expect(peak).toBeLessThan(200);
    expect(collected).toBeGreaterThan(9e5);
  });

  it("are freed in a loop without awaits: 4 GB in large ones stay below 400 MB", { timeout: 240_000 }, () => {
    const loop = "let x = lab.Tensor.zeros([256, 1024]); for (let i = 0; i < 4000; i++) x = lab.scale(x, 0.5);";
    const { peak, live } = alone(`${loop}${report}`);
    expect(peak).toBeLessThan(400);
    expect(live).toBeLessThan(400);
  });

  it("and those that somebody holds stay", () => {
    const hold = `const held = []; for (let i = 0; i < 3e5; i++) { const x = lab.Tensor.zeros([16]); if (i % 1000 === 0) held.push(x); }
      console.log(JSON.stringify({ sum: held.reduce((sum, x) => sum + x.arraySync().length, 0) }));`;
    expect(alone(hold)["sum"]).toBe(300 * 16);
  });
});

describe("freed bytes", () => {
  it("lie ready, count as nobody's, and can be given back", () => {
    releasePooledMemory();
    const device = () => memory().devices[0]!;
    const [start, tensors] = [device(), liveTensors()];
    const tensor = Tensor.zeros([1 << 20]);
    expect(device().live).toBe(start.live + 4 * 2 ** 20);
    tensor.dispose();
    expect(device()).toMatchObject({ live: start.live, pooled: 4 * 2 ** 20 });
    expect(memory().toString()).toContain("4.00 MiB freed and ready for reuse");
    const again = Tensor.zeros([1 << 20]);
    expect(device().pooled).toBe(0);
    expect(again.arraySync().every((value) => value === 0)).toBe(true);
    again.dispose();
    expect(releasePooledMemory()).toBe(4 * 2 ** 20);
    expect([device().pooled, liveTensors()]).toEqual([0, tensors]);
  });
});
