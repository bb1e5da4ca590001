// Defines small problems on real MNIST: the plans of training on which tests compare runs.

import { LabelledSet } from '../../coordinator/labelled-set.js';
import type { Training } from '../../coordinator/train.js';
import { loadDataset } from '../../src/data/load.js';
import { splitLabelled } from '../../src/data/split.js';
import type { ArenaShape } from '../../src/engine/arena.js';
import type { Balance } from '../../src/methods/class-balance.js';
import type { PseudoLabelSettings } from '../../src/methods/pseudo-label.js';
import { layoutOf } from '../../src/models/dense/model.js';
import { isTensorParallel } from '../../src/models/dense/tensor-blocks.js';
import { tensorShardCount, tensorShardRoom } from '../../src/models/dense/tensor-layout.js';
import { workspaceOf } from '../../src/models/dense/workspace.js';
import { PREDICT_ROWS } from '../../src/models/predict.js';
import { ADAM, autoencoder, classifier, type PresetInput } from '../../src/training/presets/shared.js';
import type { Stage } from '../../src/training/stage.js';
import { denseOf } from '../dense.js';
import { firstImages, imagesOf } from '../images.js';
import type { Problem } from './oracle.js';

export const SHARDS = 3;
const SEED = 4;
const UNLABELLED = 700;
const PER_CLASS = 3;
const MOST_ROWS = 32;

const TASK: PresetInput = { pixels: 784, classes: 10, hidden: [64], labelled: 10 * PER_CLASS, unlabelled: UNLABELLED };

/** Alpha is 0 in the first epoch of two steps, and then rises to 3 in the third. */
const pseudo = (refresh: PseudoLabelSettings['refresh'], threshold: number, balance?: Balance): PseudoLabelSettings => {
  const alpha = { t1: 1, t2: 4, final: 3, every: 2 };
  return { name: 'pseudo-label', batch: 32, alpha, refresh, threshold, balance };
};

const supervised: Stage = {
  name: 'supervised',
  model: classifier(TASK, true, 'softmax'),
  steps: 3,
  labelledBatch: 8,
  method: { name: 'supervised' },
  optimizer: ADAM,
  rate: { kind: 'cosine', initial: 3e-3, final: 1e-3 },
  start: 'fresh',
};

const finetune = (method: PseudoLabelSettings, steps: number): Stage => {
  return { ...supervised, name: 'finetune', steps, method };
};

const dampened: Pick<Stage, 'optimizer' | 'rate'> = {
  optimizer: { kind: 'dampened', momentum: { initial: 0.5, final: 0.9, over: 6, every: 2 } },
  rate: { kind: 'decay', initial: 0.5, factor: 0.9, every: 2 },
};

export const PLANS = {
  'fresh labels at each step': [finetune(pseudo('step', 0), 7)],
  'fresh labels above a threshold, balanced': [finetune(pseudo('step', 0.15, { momentum: 0.9, shares: 'equal' }), 7)],
  'fresh labels above a threshold, held to estimated shares': [
    finetune(pseudo('step', 0.15, { momentum: 0.9, shares: 'estimate' }), 7),
  ],
  'fresh labels above a threshold, with momentum and sigmoids': [
    { ...finetune(pseudo('step', 0.55), 7), ...dampened, model: classifier(TASK, true, 'sigmoid') },
  ],
  'labels refreshed every third step, above a threshold': [finetune(pseudo(3, 0.15), 7)],
  'labels once, after supervised training': [
    { ...supervised, optimizer: { kind: 'sgd' } },
    { ...finetune(pseudo('once', 0), 5), start: 'previous' },
  ],
  'an autoencoder, its first layer, and fresh labels': [
    {
      ...supervised,
      name: 'pretrain',
      model: autoencoder(TASK),
      labelledBatch: 0,
      method: { name: 'denoising', batch: MOST_ROWS, noise: 0.5 },
    },
    { ...supervised, start: 'first-layer' },
    { ...finetune(pseudo('step', 0.15), 4), start: 'previous' },
  ],
} as const satisfies Record<string, readonly Stage[]>;

const dataset = loadDataset();

export interface Setting {
  readonly problem: Problem;
  readonly training: Training;
}

/** Makes a plan on the first images of MNIST, with three labelled images of each class. */
export async function settingOf(stages: readonly Stage[], workspaces: number): Promise<Setting> {
  const mnist = await dataset;
  const { train } = mnist;
  const { labelled: rows } = splitLabelled(mnist, {
    perClass: PER_CLASS,
    kind: 'random',
    splitSeed: 1,
    validation: 0,
  });
  const set = new LabelledSet(train, rows);
  return {
    problem: {
      seed: SEED,
      stages,
      shape: shapeFor(stages, workspaces),
      unlabelled: imagesOf(firstImages(train.images, UNLABELLED)),
      labelled: set.rows(Uint32Array.from(rows, (_, position) => position)),
    },
    training: { seed: SEED, stages, labelled: set, maxSteps: Number.POSITIVE_INFINITY },
  };
}

function shapeFor(stages: readonly Stage[], workspaces: number): ArenaShape {
  const bytes = stages.flatMap(({ model }) => [
    workspaceOf(denseOf(model), MOST_ROWS, true).end,
    workspaceOf(denseOf(model), PREDICT_ROWS, false).end,
  ]);
  const rooms = stages
    .filter(({ model }) => isTensorParallel(model))
    .map(({ model }) =>
      tensorShardRoom(denseOf(model), { rows: 40, clean: MOST_ROWS }, tensorShardCount(denseOf(model), SHARDS)),
    );
  return {
    pixels: TASK.pixels,
    unlabelled: UNLABELLED,
    evaluation: 0,
    parameterCount: Math.max(...stages.map(({ model }) => layoutOf(denseOf(model)).length)),
    shards: SHARDS,
    workspaces,
    workspaceBytes: Math.max(...bytes),
    tensorShardBytes: Math.max(0, ...rooms.map(({ tensorShardBytes }) => tensorShardBytes)),
    shardGroupBytes: Math.max(0, ...rooms.map(({ shardGroupBytes }) => shardGroupBytes)),
  };
}
