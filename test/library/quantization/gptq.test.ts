import { describe, expect, it } from "vitest";
import { keep, PackedWeight, quantizers, Random, Tensor, type GptqOptions } from "nibble-lab";
import { gptq as reference, gram as gramOf, outputError, type GptqRule } from "../../reference/gptq.js";
import { gridRule, roundToNearest, decodeIntegers } from "../../reference/rtn.js";
import { inputsOf, type TestInputs } from "./inputs.js";

const [ROWS, COLUMNS, TOKENS] = [7, 48, 160];
const defaults: Required<GptqOptions> = {
  bits: 3,
  group: "channel",
  symmetric: false,
  search: "minmax",
  damping: 0.01,
  actOrder: false,
  staticGroups: false,
  trueSequential: false,
  block: 128,
};

const random = new Random(8);
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const weight = normals(ROWS * COLUMNS);
/** Inputs that share a direction and differ in size: what makes the errors of columns worth compensating. */
const x = (() => {
  const [own, shared] = [normals(TOKENS * COLUMNS), normals(TOKENS)];
  return own.map(
    (value, i) => (value + 1.5 * shared[Math.floor(i / COLUMNS)]!) * (0.2 + (((i % COLUMNS) * 7) % 11) / 4),
  );
})();
const gram = gramOf(x, COLUMNS);

async function quantized(
  options: Partial<GptqOptions>,
  w = weight,
  inputs = inputsOf(x, COLUMNS),
): Promise<Float32Array> {
  using given: TestInputs = inputs;
  using tensor = Tensor.from(w, [w.length / COLUMNS, COLUMNS]);
  const { packed } = await quantizers.gptq.quantize(tensor, { ...defaults, ...options }, given);
  using result = new PackedWeight(packed);
  using decoded = result.dequantize();
  return decoded.arraySync() as Float32Array;
}

function expected(options: Partial<GptqOptions>, slip = 0, w = weight, h = gram): Float64Array {
  const { bits, group, symmetric, search, damping, actOrder, staticGroups } = { ...defaults, ...options };
  const rule: GptqRule = {
    ...gridRule(bits, symmetric === "restricted" ? "restricted" : symmetric ? "symmetric" : "asymmetric", search),
    group: group === "channel" ? COLUMNS : group,
    damping,
    actOrder,
    staticGroups,
    slip,
  };
  return reference(w, w.length / COLUMNS, COLUMNS, h, rule);
}

const errorOf = (decoded: ArrayLike<number>) => outputError(decoded, weight, ROWS, COLUMNS, gram);
const agreement = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).filter((value, i) => Math.abs(value - b[i]!) < 1e-5 * Math.max(1, Math.abs(value))).length / a.length;

const variants: readonly Partial<GptqOptions>[] = [
  {},
  { bits: 2 },
  { bits: 4, symmetric: true },
  { bits: 3, search: "mse" },
  { bits: 2, group: 16 },
  { bits: 3, group: 24, symmetric: "restricted" },
  { bits: 3, group: 16, staticGroups: true },
  { bits: 3, actOrder: true },
  { bits: 2, group: 16, actOrder: true, search: "mse" },
  { bits: 3, damping: 0.3 },
];

describe("gptq", () => {
  it.each(variants.map((options) => [JSON.stringify(options), options] as const))(
    "equals the column loop in float64: %s",
    async (_, options) => {
      const ours = await quantized(options);
      const theirs = expected(options);
      // A weight that lies half-way between two levels may fall either way in float32; then later columns of its row differ too.
      expect(agreement(ours, theirs)).toBeGreaterThan(0.97);
      expect(errorOf(ours)).toBeLessThanOrEqual(errorOf(theirs) * 1.01);
    },
  );

  it.each([1, 5, 16, 31, 32, 47, 48, 1000])("gives the same codes in blocks of %i columns", async (block) => {
    for (const options of [
      { bits: 3 },
      { bits: 2, group: 16 },
      { bits: 2, group: 24, search: "mse" },
      { actOrder: true },
    ] as const) {
      const unblocked = await quantized({ ...options, block: 1 });
      expect(agreement(await quantized({ ...options, block }), unblocked)).toBe(1);
    }
  });

  it("is told from an update by a neighbouring row of U", async () => {
    const ours = await quantized({});
    for (const slip of [-1, 1]) {
      expect(agreement(ours, expected({}, slip))).toBeLessThan(0.9);
      expect(errorOf(expected({}, slip))).toBeGreaterThan(1.1 * errorOf(ours));
    }
  });

  it("loses much less of the output than round to nearest, and no codes change where inputs are independent", async () => {
    const nearest = decodeIntegers(
      roundToNearest(weight, ROWS, COLUMNS, { group: 0, rule: gridRule(3) }),
      ROWS,
      COLUMNS,
    );
    expect(errorOf(await quantized({}))).toBeLessThan(0.6 * errorOf(nearest));
    const identity = Float32Array.from({ length: COLUMNS * COLUMNS }, (_, i) => Number(i % (COLUMNS + 1) === 0));
    expect(agreement(await quantized({}, weight, inputsOf(identity, COLUMNS)), nearest)).toBe(1);
  });

  it("gives weight 0 to inputs that are always 0, and survives fewer tokens than inputs", async () => {
    const few = x.slice(0, 5 * COLUMNS).map((value, i) => (i % COLUMNS === 3 ? 0 : value));
    const ours = await quantized({ bits: 4 }, weight, inputsOf(few, COLUMNS));
    for (let row = 0; row < ROWS; row++) expect(ours[row * COLUMNS + 3]).toBe(0);
    const theirs = expected({ bits: 4 }, 0, weight, gramOf(few, COLUMNS));
    expect(outputError(ours, weight, ROWS, COLUMNS, gramOf(few, COLUMNS))).toBeLessThan(
      1.2 * outputError(theirs, weight, ROWS, COLUMNS, gramOf(few, COLUMNS)),
    );
  });

  it("keeps constant and zero rows, and one-sided and outlier rows within the reference's error", async () => {
    const rows = [() => 0, () => 0.25, (j: number) => 1 + j / COLUMNS, (j: number) => (j === 9 ? 50 : weight[j]!)];
    const awkward = Float32Array.from(rows.flatMap((kind) => Array.from({ length: COLUMNS }, (_, j) => kind(j))));
    const ours = await quantized({ bits: 3 }, awkward);
    expect([...ours.slice(0, 2 * COLUMNS)]).toEqual([...awkward.slice(0, 2 * COLUMNS)]);
    const theirs = expected({ bits: 3 }, 0, awkward);
    const error = (decoded: ArrayLike<number>) => outputError(decoded, awkward, rows.length, COLUMNS, gram);
    expect(error(ours)).toBeLessThanOrEqual(error(theirs) * 1.02 + 1e-6);
  });

  it("doubles the damping until the Gram matrix is positive definite, and says so", async () => {
    // An input that is another one's negative: H is singular; a NaN-free but indefinite H needs much more.
    const indefinite = gramOf(x, COLUMNS).map((value, i) => (i === 1 || i === COLUMNS ? value * 1.5 : value));
    using given = inputsOf(Float32Array.from(indefinite), COLUMNS, { isGram: true });
    using tensor = Tensor.from(weight, [ROWS, COLUMNS]);
    const { packed, note } = await quantizers.gptq.quantize(tensor, { ...defaults, damping: 1e-6 }, given);
    new PackedWeight(keep(packed)).dispose();
    const damping = Number(/^damping (.+)$/.exec(note)![1]);
    expect(damping).toBeGreaterThan(1e-6);
    expect(Math.log2(damping / 1e-6)).toBeCloseTo(Math.round(Math.log2(damping / 1e-6)), 1);
  });

  it("refuses a Gram matrix that no damping mends, saying what to do", async () => {
    const negative = Float32Array.from({ length: COLUMNS * COLUMNS }, (_, i) => (i % (COLUMNS + 1) === 0 ? 1 : 5));
    using given = inputsOf(negative, COLUMNS, { isGram: true });
    using tensor = Tensor.from(weight, [ROWS, COLUMNS]);
    await expect(quantizers.gptq.quantize(tensor, defaults, given)).rejects.toThrow(
      "not positive definite, even with damping",
    );
  });
});
