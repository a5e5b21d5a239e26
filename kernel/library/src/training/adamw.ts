import { adamwStep } from "../tensor/kernels.js";
import { keep } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

export interface AdamWSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter 2019, Algorithm 2), all parameters in one native call.
 * Its two moments are f32 and belong to it.
 */
export class AdamW {
  private readonly first: Tensor[];
  private readonly second: Tensor[];
  private step = 0;

  constructor(
    private readonly parameters: ReadonlyMap<string, Tensor>,
    private readonly settings: AdamWSettings,
  ) {
    const moments = () =>
      keep([...parameters].map(([owner, { shape }]) => Tensor.zeros(shape, { category: "optimizer", owner })));
    this.first = moments();
    this.second = moments();
  }

  /** One update from each parameter's `grad` times `gradientScale`. A parameter without a gradient stays as it is. */
  update(learningRate: number, gradientScale: number): void {
    this.step++;
    const moved = [...this.parameters.values()].flatMap((tensor, i) =>
      tensor.grad === null ? [] : [{ tensor, grad: tensor.grad, i }],
    );
    adamwStep(
      moved.map(({ tensor }) => tensor),
      moved.map(({ grad }) => grad),
      moved.map(({ i }) => this.first[i]!),
      moved.map(({ i }) => this.second[i]!),
      { ...this.settings, learningRate, gradientScale, step: this.step },
    );
  }

  dispose(): void {
    for (const moment of [...this.first, ...this.second]) moment.dispose();
  }
}
