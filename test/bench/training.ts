/**
 * A training step, ours beside PyTorch (+ PEFT), each in a process of its own so that peaks can be compared: tokens/s
 * (median of the steps after the first) and peak resident bytes.
 */
import { lastLine } from "./process.js";
import { compare, type Row } from "./report.js";

interface Shape {
  readonly name: string;
  readonly hidden: number;
  readonly layers: number;
  readonly inner: number;
  readonly vocabulary: number;
  readonly batch: number;
  readonly length: number;
}

interface Measurement {
  readonly tokensPerSecond: number;
  readonly peakBytes: number;
}

const SHAPES: readonly Shape[] = [
  { name: "pocket", hidden: 128, layers: 5, inner: 384, vocabulary: 2048, batch: 8, length: 128 },
  { name: "97.5M Llama", hidden: 768, layers: 12, inner: 2048, vocabulary: 8192, batch: 4, length: 128 },
];
/** What trains, ours and the rivals' that train the same: a precision, after it the base's storage where it is packed. */
const CASES = [
  { ours: "full", peers: ["full-f32", "full-bf16"] },
  { ours: "qlora", peers: ["lora-f32", "lora-f32-nf4", "lora-bf16", "lora-bf16-nf4"] },
  { ours: "peqa", peers: ["lora-f32", "lora-f32-nf4", "lora-bf16", "lora-bf16-nf4"] },
] as const;
const PRECISIONS = ["f32", "bf16"] as const;

const measure = (command: string, args: readonly string[]) => lastLine(command, args) as Measurement;

export async function training(python: string | null): Promise<Row[]> {
  const rows: Row[] = [];
  for (const shape of SHAPES) {
    const sizes = [shape.hidden, shape.layers, shape.inner, shape.vocabulary, shape.batch, shape.length].map(String);
    const measured = new Map<string, Measurement>();
    const peer = (kind: string) => {
      const known = measured.get(kind) ?? measure(python!, ["test/bench/peers/training.py", kind, ...sizes]);
      measured.set(kind, known);
      return known;
    };
    for (const { ours, peers } of CASES) {
      const rivals = new Map(python === null ? [] : peers.map((kind) => [`PyTorch ${kind}`, peer(kind)] as const));
      const against = (pick: (m: Measurement) => number) => new Map([...rivals].map(([name, m]) => [name, pick(m)]));
      for (const precision of PRECISIONS) {
        const own = measure(process.execPath, ["test/bench/lib/bench/training-step.js", ours, precision, ...sizes]);
        const label = `${shape.name}, ${ours} ${precision}`;
        const speeds = against((m) => m.tokensPerSecond);
        rows.push(...compare("training", label, "tokens/s", own.tokensPerSecond, speeds));
        rows.push(
          ...compare(
            "training",
            label,
            "bytes",
            own.peakBytes,
            against((m) => m.peakBytes),
          ),
        );
      }
    }
  }
  return rows;
}
