import { apply } from "../autograd.js";
import { native } from "../native.js";
import type { Tensor } from "../tensor.js";
import { made, onlyWanted, type OpTable } from "./table.js";

export interface GridOptions {
  /** Width of a code. */
  readonly bits: number;
  /** Inputs that share a scale; 0 = the whole row. */
  readonly group: number;
}

interface Signatures {
  fakeQuant: {
    inputs: { weight: Tensor; scales: Tensor; zeroPoints: Tensor };
    options: GridOptions;
    saved: { weight: Tensor; scales: Tensor; zeroPoints: Tensor };
  };
}

export const fakeQuantOps: OpTable<Signatures> = {
  fakeQuant: {
    forward: ({ weight, scales, zeroPoints }, { bits, group }) => ({
      output: made(native.fakeQuantForward(weight.handle, scales.handle, zeroPoints.handle, bits, group)),
      saved: { weight, scales, zeroPoints },
    }),
    backward: ({ dy, saved: { weight, scales, zeroPoints }, options: { bits, group }, wanted }) => {
      const all = native.fakeQuantBackward(dy.handle, weight.handle, scales.handle, zeroPoints.handle, bits, group);
      const gradients = { weight: made(all.w), scales: made(all.scales), zeroPoints: made(all.zeroPoints) };
      return onlyWanted(gradients, wanted);
    },
  },
};

/**
 * weight [out, in] rounded to its grid, s·(clamp(round(w/s) + z, 0, 2^bits − 1) − z), scales and zeroPoints [out, groups] → [out, in].
 * Gradients pass straight through the rounding: by w 1 inside the grid and 0 outside, by s round(w/s) − w/s and q − z, by z 0 and −s.
 */
export const fakeQuant = (weight: Tensor, scales: Tensor, zeroPoints: Tensor, options: GridOptions) =>
  apply("fakeQuant", fakeQuantOps.fakeQuant, { weight, scales, zeroPoints }, options);
