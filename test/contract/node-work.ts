// Owns the work that every node under test is given: images, a model, and a few steps of all kinds.
import type { TrainingState } from '../../src/checkpoint.js';
import { shardRange } from '../../src/data/shards.js';
import type { ArenaShape } from '../../src/engine/arena.js';
import { buffersOf } from '../../src/engine/buffers.js';
import { initialParameters, layoutOf, type Model, modelOf, precisionOf } from '../../src/engine/model.js';
import { PREDICT_ROWS } from '../../src/engine/predict.js';
import { slicePlaces } from '../../src/engine/slices.js';
import type { Node, ShardStep, SlicingNode } from '../../src/protocol/node.js';
import type { PartialLogits, SlicedStep } from '../../src/protocol/slices.js';
import type { OptimizerStep, UnlabelledRows } from '../../src/protocol/tasks.js';
import { keyOf, Stream } from '../../src/random.js';

/** Large enough that a task takes milliseconds, in which its thread can be lost. */
export const MODEL = modelOf([400, 1300, 10], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' });
export const SHARDS = 4;
export const UNLABELLED = 600;
export const EVALUATION = 100;
export const LENGTH = layoutOf(MODEL).length;

const PIXELS = 400;
const LABELLED_BATCH = 10;

export const shapeOf = (model: Model): Omit<ArenaShape, 'lanes'> => ({
  pixels: PIXELS,
  unlabelled: UNLABELLED,
  evaluation: EVALUATION,
  parameters: layoutOf(model).length,
  shards: SHARDS,
  laneBytes: Math.max(buffersOf(model, 64, true).end, buffersOf(model, PREDICT_ROWS, false).end),
  sliceBytes: slicePlaces(model, { rows: 104, clean: 96 }, SHARDS, SHARDS).end,
  precision: precisionOf(model),
});

export const SHAPE = shapeOf(MODEL);

const random = new Stream(keyOf(1, 'split', 6));
const randomBytes = (length: number, below = 256) => Uint8Array.from({ length }, () => random.below(below));

export const IMAGES = randomBytes(UNLABELLED * PIXELS);
export const EVALUATION_IMAGES = randomBytes(EVALUATION * PIXELS);
const LABELLED_IMAGES = randomBytes(LABELLED_BATCH * PIXELS);
const LABELS = randomBytes(LABELLED_BATCH, 10);

const initialOf = (model: Model): Partial<TrainingState> => ({
  parameters: initialParameters(model, 1, 0),
  firstMoment: new Float32Array(layoutOf(model).length),
  secondMoment: new Float32Array(layoutOf(model).length),
});

export const INITIAL = initialOf(MODEL);

export const FRESH: UnlabelledRows = {
  batch: 90,
  factor: 1.5,
  pseudoLabels: 'fresh',
  logitShift: Float32Array.from({ length: 10 }, (_, c) => c / 10),
  threshold: 0.15,
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

/** Steps by stored and by fresh pseudo-labels and without any, with Adam and with momentum, and labellings in between. */
export async function trainMixed(node: Node, model = MODEL): Promise<TrainingState> {
  node.write(initialOf(model));
  for (let t = 1; t <= 6; t++) {
    if (t % 3 === 1) await node.predict(model, 'unlabelled', RANGES);
    const unlabelled = [FRESH, { ...FRESH, pseudoLabels: 'stored' } as const, undefined][t % 3];
    await node.gradients(shardSteps(t, unlabelled, model));
    await node.update(model, SHARDS, t < 5 ? ADAM(t) : { kind: 'momentum', a: 0.9, b: 0.01, c: 1 });
  }
  return node.read(layoutOf(model).length);
}

export function slicedStep(t: number, unlabelled: 'fresh' | 'stored' | undefined, model = MODEL): SlicedStep {
  return {
    ...{ model, seed: 5, stage: 0, step: t, shards: SHARDS, labelledImages: LABELLED_IMAGES },
    unlabelledBatch: unlabelled === undefined ? 0 : FRESH.batch,
    labelsFresh: unlabelled === 'fresh',
    optimizer: t < 5 ? ADAM(t) : { kind: 'momentum', a: 0.9, b: 0.01, c: 1 },
  };
}

/** The same for hidden-unit sharding. A made-up gradient, which depends on the logits, is as good as a loss's. */
export async function trainSliced(node: SlicingNode, model = MODEL): Promise<TrainingState> {
  node.write({
    ...initialOf(model),
    pseudoLabels: new Uint8Array(UNLABELLED),
    confidences: new Float32Array(UNLABELLED),
  });
  for (let t = 1; t <= 6; t++) {
    const partials = await node.forward(slicedStep(t, (['fresh', 'stored', undefined] as const)[t % 3], model));
    const [{ logits, clean }] = partials as [PartialLogits];
    // Of the clean logits those of the first row and class: what is behind the last row is not promised.
    const sure = clean.length === 0 ? 0 : partials.reduce((sum, partial) => sum + partial.clean[0]!, 0);
    const sums = logits.map((_, i) => partials.reduce((sum, partial) => sum + partial.logits[i]!, sure));
    await node.backward(sums.map((sum) => sum / 1e3));
  }
  return node.read(layoutOf(model).length);
}
