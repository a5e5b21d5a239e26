/**
 * Matrix products, ours beside OpenBLAS and PyTorch, on one thread and on two: GF/s of the fastest run, contenders in turns.
 * Both of a product's operands are f32 tensors for us in every precision; PyTorch's bf16 gets bf16 tensors.
 */
import { execFileSync } from "node:child_process";
import { engineInfo } from "nibble-lab";
import { compare, type Row } from "./report.js";
import type { Product } from "./gemm-products.js";

/** The rivals of each of ours. */
const RIVALS: Readonly<Record<string, readonly string[]>> = {
  "ours f32": ["OpenBLAS f32", "PyTorch f32"],
  "ours bf16": ["PyTorch bf16", "ours f32"],
  "ours nf4 f32": ["ours f32", "bitsandbytes nf4", "ONNX Runtime nf4"],
  "ours int4 f32": ["ours f32", "ONNX Runtime int4", "ONNX Runtime int4, int8 sums"],
  "ours nf4 bf16": ["ours bf16"],
  "ours int4 bf16": ["ours bf16"],
};

export function gemm(python: string | null): Promise<Row[]> {
  const { processor, isa } = engineInfo();
  console.log(`${processor}, ${isa}`);
  const rows: Row[] = [];
  for (const threads of [1, 2]) {
    for (const { m, size, layout, speeds } of measure(python, threads)) {
      for (const [ours, rivals] of Object.entries(RIVALS)) {
        if (speeds[ours] === undefined) continue;
        const label = `${layout} ${m} × ${size} × ${size}, ${ours.slice("ours ".length)}, ${threads} thread${threads > 1 ? "s" : ""}`;
        const theirs = rivals
          .filter((name) => speeds[name] !== undefined)
          .map((name) => [name, speeds[name]!] as const);
        rows.push(...compare("gemm", label, "GF/s", speeds[ours], new Map(theirs)));
      }
    }
  }
  return Promise.resolve(rows);
}

function measure(python: string | null, threads: number): Product[] {
  const n = String(threads);
  const env = { ...process.env, NIBBLE_LAB_THREADS: n, OMP_NUM_THREADS: n, OPENBLAS_NUM_THREADS: n };
  const args = ["test/bench/lib/bench/gemm-products.js", ...(python === null ? [] : [python])];
  const printed = execFileSync(process.execPath, args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(printed) as Product[];
}
