export { train, Training } from "./train.js";
export type { TrainOptions } from "./options.js";
export { Run, type TrainingStep } from "./run.js";
export { schedules, type ScheduleName } from "./schedule.js";
export {
  createOptimizer,
  Optimizer,
  optimizers,
  type OptimizerName,
  type OptimizerOptions,
  type ParameterGroup,
} from "./optimizers/index.js";
