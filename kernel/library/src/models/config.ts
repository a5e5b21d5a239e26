import type { RopeScaling } from "../tensor/ops.js";

/** A decoder's architecture, whatever checkpoint it came from. */
export interface ModelConfig {
  /** The family whose names its files use. */
  readonly modelType: "llama";
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** The longest sequence that it was made for. */
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  /** Stretch of the rotary frequencies; left out: none. */
  readonly ropeScaling?: RopeScaling;
  /** The output layer is the embedding. */
  readonly tieEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly bosToken: number | null;
  readonly eosTokens: readonly number[];
}
