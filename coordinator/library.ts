// Names all that programs import as 'pseudolabel'. The parts that it is made of are 'pseudolabel/core' (src/index.ts).
import './library/environment.js'; // before anything can load TensorFlow

export {
  datasetFromArrays,
  datasetFromImages,
  type GivenArrays,
  type GivenImage,
  type GivenImages,
  type GivenLabels,
} from '../src/data/arrays.js';
export { type Dataset, type ImageSet, UNKNOWN } from '../src/data/dataset.js';
export { ERROR_CODES, type ErrorCode, PseudolabelError } from '../src/errors.js';
export {
  type Classifier,
  type ClassifyOptions,
  type Evaluation,
  evaluate,
  loadModel,
} from './library/classify.js';
export {
  type Coordinator,
  type CoordinatorOptions,
  type JoinEvent,
  type JoinedNode,
  type JoinOptions,
  joinAsNode,
  listen,
  type NodeEvent,
  type NodeOptions,
} from './library/cluster.js';
export { type LoadedDataset, type LoadOptions, loadDataset } from './library/data.js';
export type { Missed, Observed } from './library/events.js';
export { type LabelOptions, type Labels, label } from './library/label.js';
export type { TrainOptions } from './library/options.js';
export { type Run, type RunEvent, type TrainResult, train } from './library/run.js';
export type { TensorFlowModel } from './library/tensorflow-model.js';
export { type EachOptions, trainAll } from './library/train-all.js';
