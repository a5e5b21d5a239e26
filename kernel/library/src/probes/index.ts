export { comparePca, type ComparePcaOptions } from "./compare.js";
export { PcaComparison } from "./comparison.js";
export { collectActivations, selectPoints, type PointSelection, type Prompt } from "./activations.js";
export { pca, Pca } from "./pca.js";
