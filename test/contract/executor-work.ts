// Defines the work that every node under test is given: images, a model, and a few steps of all kinds.

import { Images, sharedRows } from '../../src/data/images.js';
import { shardRange } from '../../src/data/shards.js';
import type { ArenaShape, ImageSets } from '../../src/engine/arena.js';
import type { OptimizerStep } from '../../src/engine/optimizer.js';
import type { UnlabelledRows } from '../../src/methods/method.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import { tensorShardRoom } from '../../src/models/dense/tensor-layout.js';
import { workspaceOf } from '../../src/models/dense/workspace.js';
import { initialParameters } from '../../src/models/models.js';
import { PREDICT_ROWS } from '../../src/models/predict.js';
import type { TensorStep } from '../../src/models/tensor-tasks.js';
import { keyOf, Stream } from '../../src/random.js';
import type { Executor, ShardStep, TrainingState } from '../../src/training/executor.js';
import { storeOf } from '../images.js';

/** The model is so large that a task takes milliseconds, in which its thread can be lost. */
export const MODEL = modelOf([400, 1300, 10], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' });
/** A step of this model takes no longer than one of MODEL. */
export const AUTOENCODER = modelOf([400, 600, 24, 8, 20, 560, 400], {
  inputDropout: 0,
  dropout: [0.5, 0, 0, 0, 0.5],
  objective: 'reconstruction',
});
export const SHARDS = 4;
export const UNLABELLED = 600;
export const EVALUATION = 100;
export const LENGTH = layoutOf(MODEL).length;

const PIXELS = 400;
const LABELLED_BATCH = 10;

export const shapeOf = (model: DenseModel): Omit<ArenaShape, 'workspaces'> => ({
  pixels: PIXELS,
  unlabelled: UNLABELLED,
  evaluation: EVALUATION,
  parameterCount: layoutOf(model).length,
  shards: SHARDS,
  workspaceBytes: Math.max(workspaceOf(model, 64, true).end, workspaceOf(model, PREDICT_ROWS, false).end),
  ...tensorShardRoom(model, { rows: 104, clean: 96 }, SHARDS),
  averages: true,
});

const AUTOENCODER_ROOM = tensorShardRoom(AUTOENCODER, { rows: 96, clean: 0 }, SHARDS);
const ROOM = tensorShardRoom(MODEL, { rows: 104, clean: 96 }, SHARDS);

export const SHAPE: Omit<ArenaShape, 'workspaces'> = {
  ...shapeOf(MODEL),
  tensorShardBytes: Math.max(ROOM.tensorShardBytes, AUTOENCODER_ROOM.tensorShardBytes),
  shardGroupBytes: Math.max(ROOM.shardGroupBytes, AUTOENCODER_ROOM.shardGroupBytes),
};

const random = new Stream(keyOf(1, 'split', 6));
const randomBytes = (length: number, below = 256) => Uint8Array.from({ length }, () => random.below(below));

/**
 * Images in several blocks of a store in another order, and images of two stores, like those of a data set with
 * validation images.
 */
const STORE = storeOf(randomBytes((UNLABELLED + EVALUATION) * PIXELS), PIXELS, 7 * PIXELS);
const ORDER = new Stream(keyOf(2, 'split', 6)).permutation(STORE.count);
const rows = (start: number, end: number) => ({ store: STORE, rows: sharedRows(ORDER.subarray(start, end)) });
export const IMAGES: ImageSets = {
  unlabelled: new Images(PIXELS, [rows(0, UNLABELLED)]),
  evaluation: new Images(PIXELS, [
    rows(UNLABELLED, UNLABELLED + 30),
    { store: storeOf(STORE.gather(ORDER.subarray(UNLABELLED + 30)), PIXELS, 11 * PIXELS) },
  ]),
};
const LABELLED_IMAGES = randomBytes(LABELLED_BATCH * PIXELS);
const LABELS = Uint16Array.from(randomBytes(LABELLED_BATCH, 10));

export const initialOf = (model: DenseModel): Partial<TrainingState> => ({
  parameters: initialParameters(model, 1, 0),
  firstMoment: new Float32Array(layoutOf(model).length),
  secondMoment: new Float32Array(layoutOf(model).length),
  average: initialParameters(model, 1, 0),
});

export const INITIAL = initialOf(MODEL);

export const FRESH: UnlabelledRows = {
  batch: 90,
  factor: 1.5,
  pseudoLabels: 'fresh',
  logitShift: Float32Array.from({ length: 10 }, (_, c) => c / 10),
  masses: 'shifted',
  method: 'pseudo-label',
  settings: { threshold: 0.15 },
  noise: 0,
};

export const ADAM = (t: number): OptimizerStep => {
  return { kind: 'adam', rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t };
};

export function shardSteps(step: number, unlabelled: UnlabelledRows | undefined, model = MODEL): ShardStep[] {
  return Array.from({ length: SHARDS }, (_, shard) => {
    const [first, end] = shardRange(LABELLED_BATCH, SHARDS, shard);
    const labelled = {
      images: LABELLED_IMAGES.slice(first * PIXELS, end * PIXELS),
      labels: LABELS.slice(first, end),
    };
    const order = { seed: 5, stage: 0, step, shard, shards: SHARDS };
    return { model, ...order, labelled, labelledBatch: LABELLED_BATCH, unlabelled };
  });
}

export const RANGES = Array.from({ length: SHARDS }, (_, shard) => shardRange(UNLABELLED, SHARDS, shard));

/**
 * Trains steps with stored and fresh pseudo-labels and without any, with Adam and with momentum, some of them clipped,
 * and with labellings in between.
 */
export async function trainMixed(node: Executor, model = MODEL): Promise<TrainingState> {
  node.write(initialOf(model));
  for (let t = 1; t <= 6; t++) {
    if (t % 3 === 1) await node.predict(model, 'unlabelled', RANGES);
    const unlabelled = [FRESH, { ...FRESH, pseudoLabels: 'stored' } as const, undefined][t % 3];
    const { update } = await node.gradients(shardSteps(t, unlabelled, model));
    const optimizer: OptimizerStep = t < 5 ? ADAM(t) : { kind: 'momentum', a: 0.9, b: 0.01, c: 1 };
    await update(t % 2 === 0 ? { ...optimizer, clip: 0.01, average: 0.9 } : optimizer);
  }
  return node.read(layoutOf(model).length);
}

/** Returns a tensor-parallel step. A step of an autoencoder has unlabelled rows with noise. */
export function tensorStep(t: number, unlabelled: 'fresh' | 'stored' | undefined, model = MODEL): TensorStep {
  const optimizer: OptimizerStep = t < 5 ? ADAM(t) : { kind: 'momentum', a: 0.9, b: 0.01, c: 1 };
  const order = { model, seed: 5, stage: 0, step: t, shards: SHARDS, optimizer };
  if (model.objective === 'reconstruction') {
    const rows = { labelledImages: new Uint8Array(), unlabelledBatch: FRESH.batch, labelsFresh: false };
    return { ...order, ...rows, noise: 0.5 };
  }
  return {
    ...order,
    labelledImages: LABELLED_IMAGES,
    unlabelledBatch: unlabelled === undefined ? 0 : FRESH.batch,
    labelsFresh: unlabelled === 'fresh',
  };
}

/**
 * Trains in the same way by tensor-parallel steps. The gradient is made up from the logits, which tests as much as the
 * gradient of a loss.
 */
export async function trainTensorParallel(node: Executor, model = MODEL): Promise<TrainingState> {
  node.write({
    ...initialOf(model),
    pseudoLabels: new Uint16Array(UNLABELLED),
    confidences: new Float32Array(UNLABELLED),
  });
  for (let t = 1; t <= 6; t++) {
    const { logits, clean, backward } = await node.forward(
      tensorStep(t, (['fresh', 'stored', undefined] as const)[t % 3], model),
    );
    // Of the clean logits, only that of the first row and class is used, because the values after the last row are
    // undefined.
    const sure = clean[0] ?? 0;
    await backward(logits.map((logit) => (logit + sure) / 1e3));
  }
  return node.read(layoutOf(model).length);
}
