// The public surface: re-exports only.
export {
  DisposedError,
  DTypeError,
  FormatError,
  InterruptedError,
  NibbleLabError,
  NumericsError,
  OptionError,
  OutOfMemoryError,
  ShapeError,
  UnsupportedError,
  type ErrorCode,
} from "./errors.js";
export type { Displayable, MimeBundle } from "./display.js";
export { Random } from "./random.js";

export { backward, grad } from "./tensor/autograd.js";
export { checkpoint } from "./tensor/checkpoint.js";
export {
  collectedTensors,
  devices,
  engineInfo,
  isInterrupted,
  liveTensors,
  releasePooledMemory,
  resetPeakMemory,
  setMemoryLimit,
  type DeviceInfo,
  type EngineInfo,
} from "./tensor/device.js";
export type { Category, DType, Precision, TypedArray } from "./tensor/dtype.js";
export {
  addInPlace,
  argmax,
  clampInPlace,
  concatRows,
  copy,
  globalNorm,
  scaleInPlace,
  sliceRows,
  sumRows,
  toDevice,
  topK,
  total,
} from "./tensor/kernels.js";
export {
  activation,
  add,
  addBias,
  addRmsNorm,
  addScalar,
  attention,
  batchedMatmul,
  biasActivation,
  cast,
  divide,
  dropout,
  embedding,
  exp,
  fakeQuant,
  gatedActivation,
  gatherRows,
  layerNorm,
  linear,
  linearCrossEntropy,
  log,
  logSoftmax,
  loraJoin,
  matmul,
  max,
  mean,
  multiply,
  norm,
  packedLinear,
  permute,
  reshape,
  rmsNorm,
  rope,
  scale,
  scatterRows,
  softmax,
  sqrt,
  subtract,
  sum,
  swiglu,
  transpose,
  type Activation,
  type AttentionOptions,
  type DropoutOptions,
  type LossOptions,
  type Over,
  type RopeOptions,
  type RopeScaling,
} from "./tensor/ops.js";
export {
  cholesky,
  gram,
  gramAsync,
  matmulAsync,
  qr,
  randomizedRange,
  randomizedSvd,
  solveTriangular,
  svd,
  symmetricEigen,
  triangularInverse,
  type FactorOptions,
  type RandomizedOptions,
  type Svd,
  type TriangularOptions,
} from "./tensor/linalg.js";
export type { JobOptions } from "./tensor/jobs.js";
export { keep, noGrad, scope } from "./tensor/scope.js";
export { Tensor, type TensorOptions } from "./tensor/tensor.js";

export { DenseWeight, Linear, type LinearAdapter, type LinearWeight } from "./nn/linear.js";
export { initializers, type InitializerName } from "./nn/initializers.js";
export { Attention, type AttentionShape, type Positions } from "./nn/attention.js";
export { Embedding } from "./nn/embedding.js";
export { GatedMlp } from "./nn/mlp.js";
export { Module } from "./nn/module.js";
export { LayerNorm, RmsNorm } from "./nn/norm.js";

export { SafetensorsFile, writeSafetensors } from "./io/safetensors.js";

export type { ModelConfig } from "./models/config.js";
export { createModel, type CreateOptions, type NewModelConfig } from "./models/create.js";
export { models, type ModelType } from "./models/families.js";
export type { Generation, GenerateOptions } from "./models/generate.js";
export { hookNames, type Hook, type Hooks } from "./models/hooks.js";
export { loadModel, loadTokenizer, type LoadOptions } from "./models/load.js";
export { IGNORED, type Batch, type LanguageModel, type TokenInput } from "./models/model.js";
export { saveModel } from "./models/save.js";
export { Tokenizer } from "./models/tokenizer.js";

export { data, TextDataset } from "./data/index.js";
export type { TokenSource, WeightedTokens } from "./data/tokens.js";

export { abilities, type Abilities, type AbilitiesOptions, type Ability } from "./evaluation/abilities.js";
export { bootstrap, wilson, type Interval } from "./evaluation/intervals.js";
export { logLikelihoods, type Continuation } from "./evaluation/likelihood.js";
export { perplexity, type Perplexity, type PerplexityOptions } from "./evaluation/perplexity.js";
export { truthProbe, type TruthProbe, type TruthProbeOptions } from "./evaluation/truth-probe.js";

export {
  PackedWeight,
  preprocessors,
  QuantizationReport,
  quantize,
  quantizers,
  type AwqOptions,
  type Calibration,
  type CalibrationOptions,
  type CalibrationSummary,
  type Fp4Options,
  type GptqOptions,
  type HqqOptions,
  type LayerInputs,
  type LayerQuantization,
  type MagrOptions,
  type NormalFloatOptions,
  type PreprocessorName,
  type Quantizer,
  type QuantizeOptions,
  type QuantizerName,
  type RtnOptions,
  ScaleAdapter,
  type ScaleChange,
} from "./quantization/index.js";
export { cloq, gptqLora, loftq, peqa, qlora, type CalibratedOptions } from "./tuners/presets.js";
export {
  Adapter,
  adapterInitializers,
  countTrainable,
  FakeQuantizedWeight,
  initialize,
  InitializationReport,
  loadAdapter,
  LoraAdapter,
  Merge,
  merge,
  MERGED,
  saveAdapter,
  tune,
  tuners,
  Tuning,
  useAdapter,
  type AdapterInitializerName,
  type CloqOptions,
  type CountOptions,
  type GaussianOptions,
  type InitializeOptions,
  type LayerAdapter,
  type LayerInitialization,
  type LoadAdapterOptions,
  type LoftqOptions,
  type LoraOptions,
  type MergedModel,
  type MergedName,
  type MergeOptions,
  type NormOptions,
  type PeqaOptions,
  type PissaOptions,
  type QatOptions,
  type SvdOptions,
  type TuneOptions,
  type TunerName,
} from "./tuners/index.js";
export {
  createOptimizer,
  Optimizer,
  optimizers,
  Run,
  schedules,
  train,
  Training,
  type OptimizerName,
  type OptimizerOptions,
  type ParameterGroup,
  type ScheduleName,
  type TrainingStep,
  type TrainOptions,
} from "./training/index.js";
export {
  collectActivations,
  comparePca,
  Pca,
  pca,
  PcaComparison,
  selectPoints,
  type ComparePcaOptions,
  type PointSelection,
  type Prompt,
} from "./probes/index.js";
export { memory, MemorySnapshot, type CategoryBytes, type DeviceBytes } from "./memory/index.js";
