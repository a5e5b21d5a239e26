/** Our matrix products, in turns with the peers': gemm-products.js [PYTHON]. Prints one JSON array of `Product`. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { linear, matmul, noGrad, packedLinear, scope, Tensor, type Precision } from "nibble-lab";
import { quantizeBlocks, type PackedMatrix } from "#library/tensor/packed.js";
import { quantizeInteger } from "#library/tensor/quantize.js";

/** One shape's speeds in GF/s, by contender. */
export interface Product {
  readonly m: number;
  readonly size: number;
  readonly layout: string;
  readonly speeds: Readonly<Record<string, number>>;
}

const SIZES = [768, 2048, 4096];
const ROWS = [1, 8, 32, 128, 512, 2048];
const LAYOUTS = ["x·wᵀ", "dy·w", "dyᵀ·x"] as const;
const GROUP = 64;
/** Each contender gets this often a turn of so many seconds. */
const [TURNS, SECONDS] = [3, 0.04];

const python = process.argv[2];
const peers = python === undefined ? null : startPeers(python);
const products: Product[] = [];
for (const size of SIZES) {
  const w = Tensor.randomNormal([size, size], 1, 1);
  const nf4: PackedMatrix = {
    format: "nf4",
    rows: size,
    columns: size,
    group: GROUP,
    ...quantizeBlocks(w, "nf4", GROUP),
  };
  const int4: PackedMatrix = { ...nf4, format: "int4", ...quantizeInteger(w, { bits: 4, group: GROUP }) };
  for (const m of ROWS.filter((rows) => rows <= 512 || size < 4096)) {
    const [x, dy] = [Tensor.randomNormal([m, size], 1, 2), Tensor.randomNormal([m, size], 1, 3)];
    for (const layout of LAYOUTS) products.push(await race(m, size, layout, { x, dy, w, nf4, int4 }));
    x.dispose();
    dy.dispose();
  }
}
console.log(JSON.stringify(products));
peers?.end();

interface Operands {
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly w: Tensor;
  readonly nf4: PackedMatrix;
  readonly int4: PackedMatrix;
}

async function race(m: number, size: number, layout: Product["layout"], operands: Operands): Promise<Product> {
  const { x, dy, w } = operands;
  const ours = new Map<string, () => void>();
  for (const precision of ["f32", "bf16"] satisfies Precision[]) {
    const dense = {
      "x·wᵀ": () => linear(x, w, { precision }),
      "dy·w": () => matmul(dy, w, { precision }),
      "dyᵀ·x": () => matmul(dy, x, { precision, transposeA: true }),
    };
    ours.set(`ours ${precision}`, dense[layout as keyof typeof dense]);
    if (layout !== "x·wᵀ") continue;
    for (const format of ["nf4", "int4"] as const)
      ours.set(`ours ${format} ${precision}`, () => packedLinear(x, operands[format], { precision }));
  }
  const speeds: Record<string, number> = {};
  const note = (name: string, speed: number) => (speeds[name] = Math.max(speeds[name] ?? 0, speed));
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [name, run] of ours) note(name, (2e-9 * m * size * size) / fastest(run));
    const theirs = await peers?.ask({ m, size, layout, seconds: SECONDS });
    for (const [name, speed] of Object.entries(theirs ?? {})) note(name, speed);
  }
  return { m, size, layout, speeds };
}

/** Seconds of the fastest run within one turn. */
function fastest(run: () => void): number {
  const end = performance.now() + 1000 * SECONDS;
  let best = Infinity;
  while (performance.now() < end) {
    const start = performance.now();
    noGrad(() => scope(run));
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

function startPeers(interpreter: string) {
  const child = spawn(interpreter, ["test/bench/peers/gemm.py"], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(question: object): Promise<Record<string, number>> {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error("[bench] peers/gemm.py ended early; its message is above.");
      return JSON.parse(value) as Record<string, number>;
    },
    end: () => child.stdin.end(),
  };
}
