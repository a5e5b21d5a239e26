import { describe, expect, it } from "vitest";
import { Random } from "nibble-lab";
import { fitLinearProbe, probeSays } from "../../../kernel/library/lib/probes/linear.js";

const WIDTH = 12;
const random = new Random(4);
const normal = () => Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
/** Points whose label is the side of a plane, with features of very different size and place. */
function points(count: number) {
  const features = Array.from({ length: count }, () =>
    Array.from({ length: WIDTH }, (_, i) => 10 ** (i % 4) * (normal() + i)),
  );
  const side = (row: readonly number[]) => row[2]! / 100 - 2 + (row[5]! / 10 - 5) > 0;
  return { features, labels: features.map(side) };
}

describe("a linear probe", () => {
  it("finds a direction that new points keep to", () => {
    const [fit, test] = [points(300), points(300)];
    const probe = fitLinearProbe(fit.features, fit.labels);
    const right = test.features.filter((row, i) => probeSays(probe, row) === test.labels[i]).length;
    expect(right / 300).toBeGreaterThan(0.93);
  });

  it("finds nothing where there is nothing", () => {
    const [fit, test] = [points(300), points(300)];
    const coin = () => random.uniform() < 0.5;
    const probe = fitLinearProbe(fit.features, fit.labels.map(coin));
    const right = test.features.filter((row) => probeSays(probe, row) === coin()).length;
    expect(Math.abs(right / 300 - 0.5)).toBeLessThan(0.12);
  });

  it("is where the penalized loss has no slope", () => {
    const { features, labels } = points(200);
    const penalty = 0.3;
    const { weights, bias } = fitLinearProbe(features, labels, { penalty });
    const mean = (i: number) => features.reduce((sum, row) => sum + row[i]!, 0) / features.length;
    const deviation = (i: number) =>
      Math.sqrt(features.reduce((sum, row) => sum + (row[i]! - mean(i)) ** 2, 0) / features.length);
    for (let i = 0; i < WIDTH; i++) {
      const slope = features.reduce((sum, row, point) => {
        const score = row.reduce((total, value, j) => total + value * weights[j]!, bias);
        return sum + ((1 / (1 + Math.exp(-score)) - (labels[point] ? 1 : 0)) * (row[i]! - mean(i))) / deviation(i);
      }, 0);
      expect(slope / features.length + penalty * weights[i]! * deviation(i)).toBeCloseTo(0, 3);
    }
  });
});
