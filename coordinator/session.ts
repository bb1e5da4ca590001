// Owns the composition root: picks the node, sizes its arena for what is to come, and gives it images and a cluster.

import { type Dataset, knownCount } from '../src/data/dataset.js';
import { loadDataset } from '../src/data/sources/load.js';
import { checkClasses, type Split, splitLabelled } from '../src/data/split.js';
import { type ArenaShape, bytes } from '../src/engine/arena.js';
import type { Executor } from '../src/engine/executor.js';
import { PseudolabelError } from '../src/errors.js';
import { numericsFingerprint } from '../src/models/dense/fingerprint.js';
import { PREDICT_ROWS } from '../src/models/dense/predict.js';
import { rowCountsOf, tensorShardCount, tensorShardRoom } from '../src/models/dense/tensor-layout.js';
import { paddedRows, workspaceOf } from '../src/models/dense/workspace.js';
import { layoutOf, type Model, precisionOf } from '../src/models/model.js';
import type { SavedModel } from '../src/models/saved-model.js';
import { DEFAULT_LABELS_PER_CLASS, type RunConfig } from '../src/training/config.js';
import { planOf } from '../src/training/plan.js';
import type { Task } from '../src/training/scenario.js';
import type { Stage } from '../src/training/stage.js';
import { type StrategyName, strategyOf } from '../src/training/strategy-choice.js';
import { createThreadExecutor, type ThreadExecutor } from '../worker/thread-executor.js';
import { Dispatcher } from './dispatcher.js';
import { gather } from './labelled-set.js';
import { DataParallel } from './strategies/data-parallel.js';
import type { Strategy } from './strategies/strategy.js';
import { TensorParallel } from './strategies/tensor-parallel.js';

/** Several processes that did a run together. */
export interface Job {
  readonly ranks: number;
  /** Of all ranks. */
  readonly workers: number;
  /** The order in which gradients were summed. 'any': MPI's own, by which the bits depend on the number of ranks. */
  readonly sum: 'tree' | 'any';
}

export interface Session {
  readonly dataset: Dataset;
  readonly dispatcher: Dispatcher;
  readonly node: ThreadExecutor;
  /** Fingerprint of what products and the kernel compute here. */
  readonly numerics: string;
  /** Where this is rank 0 of several processes. */
  readonly job?: Job;
  close(): Promise<void>;
}

/**
 * What a run takes of the labels: where it does not say, a few of each class when all are known, as in a benchmark, else all that there are.
 * Throws E_CONFIG for a random split of all labels.
 */
export function labelsPerClassOf({ labelsPerClass, split }: RunConfig, { train }: Dataset): number | 'all' {
  const chosen = labelsPerClass ?? (knownCount(train.labels) === train.count ? DEFAULT_LABELS_PER_CLASS : 'all');
  if (chosen !== 'all' || split !== 'random') return chosen;
  throw new PseudolabelError(
    'E_CONFIG',
    'split: random has no effect where all known labels are used',
    'leave out --split and --splits, or give --labels-per-class N: N random ones of each class',
  );
}

export const splitOf = (config: RunConfig, dataset: Dataset): Split =>
  splitLabelled(dataset, {
    perClass: labelsPerClassOf(config, dataset),
    kind: config.split,
    splitSeed: config.splitSeed,
    validation: config.validation,
  });

/** Throws E_DATA_CLASSES where there are no two classes to tell apart. */
export function taskOf(config: RunConfig, dataset: Dataset): Task {
  checkClasses(dataset);
  const { pixels, classes, train } = dataset;
  const { hidden, validation } = config;
  const perClass = labelsPerClassOf(config, dataset);
  const labelled = perClass === 'all' ? knownCount(train.labels) - validation : perClass * classes;
  return { pixels, classes, hidden, labelled, unlabelled: train.count - validation };
}

/**
 * A session for runs on the same images with the same shards, workers and strategy: those of the first config.
 * @param disturb puts something between the cluster and its node
 */
export async function openSession(
  configs: readonly [RunConfig, ...RunConfig[]],
  data?: Dataset,
  disturb: (node: ThreadExecutor, numerics: string) => Executor = (node) => node,
): Promise<Session> {
  const [config] = configs;
  const dataset = data ?? (await loadDataset({ folder: config.data }));
  const { unlabelled, validation } = splitOf(config, dataset);
  if (unlabelled.length < config.shards) throw tooManyShards(config.shards, unlabelled.length);
  const counts = { unlabelled: unlabelled.length, validation: validation.length, test: dataset.test?.count ?? 0 };
  const stages = configs.flatMap((each) => planOf(each, taskOf(each, dataset)));
  // Before there are threads, which have the processor for themselves then.
  const numerics = numericsFingerprint(config.precision);
  const validationImages = gather(dataset.train.images, dataset.pixels, validation);
  const node = await createThreadExecutor({
    shape: shapeFor(stages, config, dataset.pixels, counts),
    images: config.validation === 0 ? dataset.train.images : gather(dataset.train.images, dataset.pixels, unlabelled),
    evaluationImages: Buffer.concat([validationImages, dataset.test?.images ?? new Uint8Array()]),
  });
  const disturbed = disturb(node, numerics);
  const dispatcher = new Dispatcher(disturbed, config.shards, counts, strategies(disturbed, config, imagesOf(node)));
  return { dataset, dispatcher, node, numerics, close: () => dispatcher.close() };
}

/** Images that one task predicts: the same for any number of workers, since the size of a batch may change the last bit of a confidence. */
const IMAGES_A_RANGE = 4 * PREDICT_ROWS;

/**
 * A cluster that predicts with a model that is trained already: `label` the unlabelled images, `classify` the test images.
 * @param images bytes, as many an image as the model has inputs
 */
export async function openPredictor(
  { model, parameters }: SavedModel,
  images: { readonly unlabelled?: Uint8Array; readonly test?: Uint8Array },
  workers: number,
): Promise<Dispatcher> {
  const { unlabelled = new Uint8Array(), test = new Uint8Array() } = images;
  const pixels = model.layers[0]!.inputs;
  const counts = { unlabelled: unlabelled.length / pixels, validation: 0, test: test.length / pixels };
  const node = await createThreadExecutor({
    shape: {
      pixels,
      unlabelled: counts.unlabelled,
      evaluation: counts.test,
      parameters: parameters.length,
      // Nothing is trained.
      shards: 1,
      workspaces: workers,
      workspaceBytes: workspaceOf(model, PREDICT_ROWS, false).end,
      precision: precisionOf(model),
    },
    images: unlabelled,
    evaluationImages: test,
  });
  node.write({ parameters });
  const ranges = Math.max(1, Math.ceil(Math.max(counts.unlabelled, counts.test) / IMAGES_A_RANGE));
  return new Dispatcher(node, ranges, counts, () => new DataParallel(node, 1));
}

export interface UnlabelledImages {
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** As they lie in the arena. */
export function imagesOf({ arena }: ThreadExecutor): UnlabelledImages {
  const { unlabelled, pixels } = arena.shape;
  return { count: unlabelled, bytes: bytes(arena, 'images', unlabelled * pixels) };
}

/** The one by which a model is trained, made on first use. images: the unlabelled ones. */
export function strategies(node: Executor, config: RunConfig, images: UnlabelledImages): (model: Model) => Strategy {
  const made: Partial<Record<StrategyName, Strategy>> = {};
  const makers = {
    data: () => new DataParallel(node, config.shards),
    tensor: () => new TensorParallel(node, config.shards, images.count, images.bytes),
  };
  return (model) => {
    const name = strategyOf(config, model);
    made[name] ??= makers[name]();
    return made[name];
  };
}

/** Room for the largest of the stages. */
export function shapeFor(
  stages: readonly Stage[],
  config: RunConfig,
  pixels: number,
  counts: { unlabelled: number; validation: number; test: number },
): ArenaShape {
  const { shards, workers } = config;
  const rowsOf = (stage: Stage): number => stage.pseudo?.batch ?? stage.denoising?.batch ?? 0;
  const workspace = (stage: Stage): number => {
    const rows = Math.ceil(stage.labelledBatch / shards) + Math.ceil(rowsOf(stage) / shards);
    const training = workspaceOf(stage.model, paddedRows(rows), true).end;
    return Math.max(training, workspaceOf(stage.model, PREDICT_ROWS, false).end);
  };
  const tensor = (stage: Stage) => {
    const batch = { unlabelledBatch: rowsOf(stage), labelsFresh: true };
    return tensorShardRoom(stage.model, rowCountsOf(stage.labelledBatch, batch), tensorShardCount(stage.model, shards));
  };
  const rooms = stages.filter(({ model }) => strategyOf(config, model) === 'tensor').map(tensor);
  return {
    pixels,
    unlabelled: counts.unlabelled,
    evaluation: counts.validation + counts.test,
    parameters: Math.max(...stages.map(({ model }) => layoutOf(model).length)),
    shards,
    workspaces: workers,
    workspaceBytes: Math.max(...stages.map(workspace)),
    tensorShardBytes: Math.max(0, ...rooms.map(({ tensorShardBytes }) => tensorShardBytes)),
    outputGroupBytes: Math.max(0, ...rooms.map(({ outputGroupBytes }) => outputGroupBytes)),
    precision: config.precision,
  };
}

function tooManyShards(shards: number, images: number): PseudolabelError {
  return new PseudolabelError(
    'E_CONFIG',
    `${shards} shards for ${images} unlabelled images`,
    `use --shards ${Math.max(1, images)}`,
  );
}
