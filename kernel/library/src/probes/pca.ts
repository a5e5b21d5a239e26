import { ShapeError } from "../errors.js";
import { checkOptions, integer } from "../options.js";
import { pcaFit, pcaProject, type PcaFit } from "../tensor/kernels.js";
import { keep } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { display, inspect, tableBundle, type Displayable, type MimeBundle } from "../display.js";

const DEFAULT_COMPONENTS = 3;

/**
 * Principal components of rows: the directions of largest variance around the mean, by falling variance. The sign of each is
 * such that its largest entry is positive.
 *
 * @param x [n, d] f32, left as it is
 * @param options.components how many; default 3, at most min(n, d)
 * @returns a basis to project with; the caller disposes
 * @throws {ShapeError} if x is not a matrix or has fewer rows or columns than components
 * @example
 * using basis = pca(x, { components: 2 });
 * const coordinates = basis.project(x);   // [n, 2]
 */
export function pca(x: Tensor, options: { readonly components?: number } = {}): Pca {
  const { components } = checkOptions("pca", options, {
    components: integer({ from: 1, fallback: DEFAULT_COMPONENTS }),
  });
  const [rows = 0, columns = 0] = x.shape;
  if (x.shape.length !== 2 || Math.min(rows, columns) < components || rows < 2) {
    throw new ShapeError(
      "pca",
      `x has shape [${x.shape.join(", ")}] for ${components} components. Allowed: [n, d] with n of at least 2 and both at least the number of components.`,
    );
  }
  return new Pca(keep(pcaFit(x, components)));
}

/** A basis fitted by `pca`. */
export class Pca implements Displayable {
  constructor(private readonly fit: PcaFit) {}

  /** [d] */
  get mean(): Tensor {
    return this.fit.mean;
  }
  /** [k, d], of unit length. */
  get components(): Tensor {
    return this.fit.components;
  }
  /** Share of the variance along each component, between 0 and 1. */
  get explained(): number[] {
    const { variances, totalVariance } = this.fit;
    return Array.from(variances.arraySync(), (variance) => (totalVariance === 0 ? 0 : variance / totalVariance));
  }

  /** Coordinates [n, k] of x [n, d] in this basis; the caller disposes. @throws {ShapeError} */
  project(x: Tensor): Tensor {
    const [d] = this.fit.mean.shape;
    if (x.shape.length !== 2 || x.shape[1] !== d) {
      throw new ShapeError(
        "pca.project",
        `x has shape [${x.shape.join(", ")}]. Allowed: [n, ${d}], the width that the basis was fitted on.`,
      );
    }
    return pcaProject(x, this.fit);
  }

  dispose(): void {
    for (const tensor of [this.fit.mean, this.fit.components, this.fit.variances]) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  [display](): MimeBundle {
    return tableBundle({
      title: `Principal components in ${this.fit.mean.size} dimensions`,
      columns: ["component", "share of the variance"],
      rows: this.explained.map((share, i) => [i + 1, `${(100 * share).toFixed(1)} %`]),
    });
  }
  [inspect](): string {
    return this[display]()["text/plain"];
  }
}
