// Tests how much a step moves and exchanges, for the sizes of the report's networks.

import { expect, it } from 'vitest';
import { layoutOf } from '../../../src/models/dense/model.js';
import { labellingTraffic, tensorParallelTraffic, trainingTraffic } from '../../../src/scaling/traffic.js';
import { normalise } from '../../../src/training/config.js';
import { planOf } from '../../../src/training/plan.js';
import type { Stage } from '../../../src/training/stage.js';
import { denseOf } from '../../dense.js';
import { pseudoLabelsOf } from '../../pseudo-labels.js';

const TASK = { pixels: 784, classes: 10, hidden: [5000], labelled: 100, unlabelled: 59_900 };
const stages = planOf(normalise({ scenario: 'dae', preset: 'report' }), TASK);
const stageOf = (name: Stage['name']): Stage => stages.findLast((stage) => stage.name === name)!;

it('a tensor-parallel step of the classifier exchanges sums of ten classes, where rows exchange the gradient', () => {
  const stage = { ...stageOf('finetune'), labelledBatch: 32 };
  const method = { ...pseudoLabelsOf(stage)!, batch: 256, refresh: 'once' } as const;
  expect(trainingTraffic(stage, 2).sum).toBe(4 * layoutOf(denseOf(stage.model)).length);
  expect(tensorParallelTraffic({ ...stage, method }, 8).sum).toBe(4 * 10 * 288);
  expect(tensorParallelTraffic({ ...stage, method: { ...method, refresh: 'step' } }, 8).sum).toBe(4 * 10 * (288 + 256));
});

it('labels take two bytes, in the rows of a step and beside the confidences of predictions', () => {
  expect(trainingTraffic({ ...stageOf('finetune'), labelledBatch: 32 }, 2).tasks).toBe(32 * (784 + 2));
  expect(labellingTraffic(100)).toMatchObject({ moved: 600, answers: 600 });
});

it('a tensor-parallel step of the autoencoder has three exchanges, and moves more with more tensor shards', () => {
  const stage: Stage = { ...stageOf('pretrain'), method: { name: 'denoising', batch: 256, noise: 0.5 } };
  // The parts are 128 into the middle, 784 for the pixels, and 128 for the gradient above the middle.
  expect(tensorParallelTraffic(stage, 8).sum).toBe(4 * 256 * (128 + 784 + 128));
  const [few, many] = [2, 8].map((shards) => tensorParallelTraffic(stage, shards).moved) as [number, number];
  expect(many - few).toBe(6 * (2 * 4 * 256 * 1040 + 4 * 256 * 1040));
});
