// The public library: what it takes to train in one process, read data and use saved models. Names only.
export {
  beginBalance,
  type ClassBalance,
  type ClassShares,
  chooseShares,
  isChoice,
  isSurvey,
  logitShift,
  nextBalance,
  type SharesChoice,
  surveyShift,
} from './balance.js';
export { type Checkpoint, type Identity, loadCheckpoint, saveCheckpoint, type TrainingState } from './checkpoint.js';
export { sha256OfParameters } from './checksum.js';
export { normalise, type Options, type RunConfig } from './config.js';
export { type Dataset, type DatasetParts, datasetOf, type ImageSet, UNKNOWN } from './data/dataset.js';
export { type IdxFile, readIdx } from './data/idx.js';
export { loadDataset } from './data/load.js';
export { labelledBatch, ShardSampler } from './data/sampling.js';
export { shardRange } from './data/shards.js';
export { type Split, splitLabelled } from './data/split.js';
export { type Arena, type ArenaShape, attachArena, bytes, createArena, floats } from './engine/arena.js';
export { buffersOf, paddedRows } from './engine/buffers.js';
export { createEngine, type Engine } from './engine/engine.js';
export { gradient } from './engine/gradient.js';
export { initialParameters, type Layer, layoutOf, type Model, modelOf, type Objective } from './engine/model.js';
export { predict } from './engine/predict.js';
export { update } from './engine/update.js';
export { ERROR_CODES, type ErrorCode, PseudolabelError } from './errors.js';
export { accuracy, confusionMatrix, meanAndDeviation } from './metrics.js';
export { loadModel, type SavedModel, saveModel } from './modelfile.js';
export { planOf } from './plan.js';
export { alpha, learningRate, momentum } from './schedule.js';
export { alphaAt, optimizerStep, type Stage } from './stage.js';
