/** Operations and their gradients as PyTorch computes them, rotary frequencies as transformers does. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { backward, scope, Tensor, type Activation } from "nibble-lab";
import * as library from "../../../kernel/library/lib/tensor/ops.js";
import { readRopeScaling } from "../../../kernel/library/lib/models/rope-scaling.js";

/** Shape, and the offset in the blob. */
type Stored = [number[], number];
interface Options {
  readonly kind: Activation;
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly causal?: boolean;
  readonly window?: number;
  readonly soft_cap?: number;
  readonly slopes?: number[];
  readonly lengths?: number[];
  readonly targets: number[];
  readonly labelSmoothing: number;
}
interface Case {
  readonly name: string;
  readonly options: Options;
  readonly inputs: Record<string, Stored>;
  readonly y: Stored;
  readonly dy: Stored;
  readonly gradients: Record<string, Stored>;
}
interface RopeCase {
  readonly name: string;
  readonly length: number;
  readonly parameters: Record<string, unknown>;
  readonly factor: number;
  readonly frequencies: Stored;
}

const folder = new URL("../../native/golden/", import.meta.url);
const blob = readFileSync(new URL("ops.bin", folder));
const { cases } = JSON.parse(readFileSync(new URL("ops.json", folder), "utf8")) as {
  cases: Record<Operation, Case[]> & { rope: RopeCase[] };
};

function numbers([shape, offset]: Stored): Float32Array {
  const count = shape.reduce((a, b) => a * b, 1);
  return new Float32Array(blob.buffer.slice(blob.byteOffset + offset, blob.byteOffset + offset + 4 * count));
}
const tensor = (stored: Stored) => Tensor.from(numbers(stored), stored[0]);
const int32 = (values: readonly number[]) => Tensor.from(Int32Array.from(values));

const operations = {
  rmsNorm: ({ x, weight }: Record<string, Tensor>) => library.rmsNorm(x!, weight!, 1e-5),
  layerNorm: ({ x, weight, bias }: Record<string, Tensor>) => library.layerNorm(x!, weight!, bias!, 1e-5),
  activation: ({ x }: Record<string, Tensor>, { kind }: Options) => library.activation(x!, kind),
  attention: ({ q, k, v }: Record<string, Tensor>, { batch, heads, kvHeads, ...rest }: Options) =>
    library.attention(q!, k!, v!, {
      batch,
      heads,
      kvHeads,
      ...(rest.causal !== undefined && { causal: rest.causal }),
      ...(rest.window && { window: rest.window }),
      ...(rest.soft_cap && { softCap: rest.soft_cap }),
      ...(rest.slopes && { slopes: Tensor.from(rest.slopes) }),
      ...(rest.lengths && { lengths: int32(rest.lengths) }),
    }),
  linearCrossEntropy: ({ x, weight }: Record<string, Tensor>, { targets, labelSmoothing }: Options) =>
    library.linearCrossEntropy(x!, weight!, int32(targets), { ignoreIndex: -100, labelSmoothing }),
};
type Operation = keyof typeof operations;

function expectClose(got: Tensor, expected: Stored, what: string): void {
  const [values, wanted] = [got.arraySync(), numbers(expected)];
  const size = Math.max(1, ...wanted.map(Math.abs));
  const error = Math.max(...wanted.map((value, i) => Math.abs(value - values[i]!)));
  expect(error / size, `${what}: largest error ÷ largest value`).toBeLessThan(1e-5);
}

describe.each(Object.keys(operations) as Operation[])("%s", (op) => {
  it.each(cases[op])("equals PyTorch's, forward and backward: $name", (golden) => {
    scope(() => {
      const inputs = Object.fromEntries(Object.entries(golden.inputs).map(([name, stored]) => [name, tensor(stored)]));
      for (const input of Object.values(inputs)) input.requiresGrad = true;
      const y = operations[op](inputs, golden.options);
      expectClose(y, golden.y, "y");
      backward(y, tensor(golden.dy));
      for (const [name, stored] of Object.entries(golden.gradients))
        expectClose(inputs[name]!.grad!, stored, `d${name}`);
    });
  });
});

describe("rope", () => {
  it.each(cases.rope)("turns by transformers' frequencies: $name", ({ length, parameters, factor, frequencies }) => {
    scope(() => {
      const scaling = readRopeScaling({ rope_parameters: parameters }, 64, "golden")!;
      const pairs = frequencies[0][0]!;
      const ones = Float32Array.from({ length: length * 2 * pairs }, (_, i) => (i % (2 * pairs) < pairs ? 1 : 0));
      const x = Tensor.from(ones, [length, 2 * pairs]);
      const turned = library.rope(x, { length, heads: 1, theta: 10000, scaling }).arraySync();
      numbers(frequencies).forEach((frequency, i) => {
        for (const position of [0, 1, length - 1]) {
          const row = turned.subarray(position * 2 * pairs, (position + 1) * 2 * pairs);
          expect(row[i]).toBeCloseTo(factor * Math.cos(position * frequency), 4);
          expect(row[i + pairs]).toBeCloseTo(factor * Math.sin(position * frequency), 4);
        }
      });
    });
  });
});
