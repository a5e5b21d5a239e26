import { Sharing, type TensorHolder } from "../nn/module.js";
import { add, multiply } from "../tensor/ops.js";
import { clampInPlace } from "../tensor/kernels.js";
import type { PackedMatrix } from "../tensor/packed.js";
import type { Tensor } from "../tensor/tensor.js";

/** What of a packed weight's grid trains: either `delta` or `scales`, and `zeroPoints` where these train too. */
export interface ScaleChange {
  /** δ in s = s₀·(1 + δ), f32, shaped as the scales */
  readonly delta?: Tensor;
  /** s instead of s₀, f32 */
  readonly scales?: Tensor;
  /** z instead of z₀, f32 */
  readonly zeroPoints?: Tensor;
}

/** No update leaves less than this share of a scale's start. */
const SMALLEST_SHARE = 1e-3;

/**
 * A change of a packed weight's grid, laid over its stored numbers: Ŵ = s·(q − z). The stored scales and zero-points stay, so that
 * many changes share one integer model. Its tensors belong to it.
 */
export class ScaleAdapter implements TensorHolder {
  constructor(
    readonly change: ScaleChange,
    /** The smallest scale that `constrain` allows in `scales`. */
    private readonly floor: number,
  ) {}

  get description(): string {
    const moved = this.change.delta === undefined ? "own scales" : "relative scales";
    return this.change.zeroPoints === undefined ? moved : `${moved} and zero-points`;
  }

  /** The matrix with the change in it, on the tape where it trains. */
  over(packed: PackedMatrix): PackedMatrix {
    const { delta, scales = packed.scales, zeroPoints = packed.zeroPoints } = this.change;
    const moved = delta === undefined ? scales : add(scales, multiply(scales, delta));
    return { ...packed, scales: moved, ...(zeroPoints && { zeroPoints }) };
  }

  /** Puts scales that an update moved to 0 or below back above it. */
  constrain(): void {
    const { delta, scales } = this.change;
    if (delta !== undefined) clampInPlace(delta, SMALLEST_SHARE - 1, Infinity);
    if (scales !== undefined) clampInPlace(scales, this.floor, Infinity);
  }

  *namedTensors(): Generator<[string, Tensor]> {
    const { delta, scales, zeroPoints } = this.change;
    if (delta !== undefined) yield ["delta", delta];
    if (scales !== undefined) yield ["scales", scales];
    if (zeroPoints !== undefined) yield ["zero_points", zeroPoints];
  }
  share(shared = new Sharing()): ScaleAdapter {
    const entries = Object.entries(this.change).map(([name, tensor]) => [name, shared.tensor(tensor as Tensor)]);
    return new ScaleAdapter(Object.fromEntries(entries) as ScaleChange, this.floor);
  }
  dispose(): void {
    for (const [, tensor] of this.namedTensors()) tensor.dispose();
  }
}

/** The floor for scales that start as these (all above 0). */
export function scaleFloor(start: Tensor): number {
  let least = Infinity;
  for (const scale of start.arraySync()) least = Math.min(least, scale);
  return SMALLEST_SHARE * least;
}
