// The public library: what it takes to train in one process, read data and use saved models. Names only.

export { type Checkpoint, type Identity, loadCheckpoint, saveCheckpoint } from './checkpoint/checkpoint.js';
export { sha256OfParameters } from './checksum.js';
export { type Dataset, type DatasetParts, datasetOf, type ImageSet, UNKNOWN } from './data/dataset.js';
export { labelledBatch, ShardSampler } from './data/sampling.js';
export { shardRange } from './data/shards.js';
export { type IdxFile, readIdx } from './data/sources/idx.js';
export { loadDataset } from './data/sources/load.js';
export { type Split, splitLabelled } from './data/split.js';
export { type Arena, type ArenaShape, attachArena, bytes, createArena, floats } from './engine/arena.js';
export type { TrainingState } from './engine/executor.js';
export { ERROR_CODES, type ErrorCode, PseudolabelError } from './errors.js';
export { alpha } from './methods/alpha.js';
export type { Method, MethodState, Prediction, Targets } from './methods/method.js';
export { METHODS, type MethodSettings, methodOf } from './methods/methods.js';
export { createEngine, type Engine } from './models/dense/engine.js';
export { gradient } from './models/dense/gradient.js';
export { predict } from './models/dense/predict.js';
export { update } from './models/dense/update.js';
export { paddedRows, workspaceOf } from './models/dense/workspace.js';
export { initialParameters, type Layer, layoutOf, type Model, modelOf, type Objective } from './models/model.js';
export { loadModel, type SavedModel, saveModel } from './models/saved-model.js';
export { accuracy, confusionMatrix, meanAndDeviation } from './reporting/metrics.js';
export { normalise, type Options, type RunConfig } from './training/config.js';
export { planOf } from './training/plan.js';
export { learningRate, momentum } from './training/schedule.js';
export { alphaAt, optimizerStep, type Stage } from './training/stage.js';
