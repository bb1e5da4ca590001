// The parts of the library, as 'pseudolabel/core', for writing a training of one's own in one thread. This file only
// re-exports.

export { type Checkpoint, type Identity, loadCheckpoint, saveCheckpoint } from './checkpoint/checkpoint.js';
export { sha256OfParameters } from './checksum.js';
export {
  datasetFromArrays,
  datasetFromImages,
  type GivenArrays,
  type GivenImage,
  type GivenImages,
  type GivenLabels,
} from './data/arrays.js';
export { type Dataset, type DatasetParts, datasetOf, type ImageSet, UNKNOWN } from './data/dataset.js';
export { loadDataset } from './data/load.js';
export { labelledBatch, ShardSampler } from './data/sampling.js';
export { shardRange } from './data/shards.js';
export { type IdxFile, readIdx } from './data/sources/idx.js';
export { type Split, splitLabelled } from './data/split.js';
export { type Arena, type ArenaShape, attachArena, bytes, createArena, floats } from './engine/arena.js';
export { ERROR_CODES, type ErrorCode, PseudolabelError } from './errors.js';
export { alpha } from './methods/alpha.js';
export type { Method, MethodState, Prediction, Targets } from './methods/method.js';
export { METHODS, type MethodSettings, methodOf } from './methods/methods.js';
export { type Layer, layoutOf, modelOf } from './models/dense/model.js';
export { workspaceOf } from './models/dense/workspace.js';
export { createEngine, type Engine } from './models/engine.js';
export { gradient } from './models/gradient.js';
export { paddedRows } from './models/kind.js';
export type { Model } from './models/model.js';
export { initialParameters } from './models/models.js';
export type { Objective } from './models/objective.js';
export { predict } from './models/predict.js';
export { loadModel, type SavedModel, saveModel } from './models/saved-model.js';
export { update } from './models/update.js';
export { confusionMatrix } from './reporting/confusion.js';
export { accuracy, meanAndDeviation } from './reporting/metrics.js';
export { normalise, type Options, type RunConfig } from './training/config.js';
export type { TrainingState } from './training/executor.js';
export { planOf } from './training/plan.js';
export { learningRate, momentum } from './training/schedule.js';
export { alphaAt, optimizerStep, type Stage } from './training/stage.js';
