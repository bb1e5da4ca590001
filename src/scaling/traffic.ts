// Computes how many bytes a step moves, from sizes; nothing is measured.

import { methodOf } from '../methods/methods.js';
import { exchangesOf, widthsOf } from '../models/dense/tensor-blocks.js';
import { denseOnly, inputsOf, parameterCount } from '../models/models.js';
import type { Stage } from '../training/stage.js';

const FLOAT = 4;
/** The bytes of a class. */
const LABEL = 2;
/** The bytes of a class and its confidence. */
const PREDICTION = LABEL + FLOAT;

export interface Traffic {
  /**
   * The bytes through shared memory: gradient buffers or partial sums, the update's reads and writes, and predictions.
   */
  readonly moved: number;
  /**
   * The bytes of a sum of gradients, or of the sums of tensor shards, which machines would exchange; 0 for predictions.
   */
  readonly sum: number;
  /** The bytes of labelled rows that are sent with a step's tasks. */
  readonly tasks: number;
  /** The bytes of results that come back and grow with the work. */
  readonly answers: number;
}

/**
 * Returns the traffic of a step. Each gradient buffer is written and read once; the parameters and the moments are read
 * and written.
 */
export function trainingTraffic({ model, optimizer, labelledBatch }: Stage, shards: number): Traffic {
  const vector = FLOAT * parameterCount(model);
  const vectors = optimizer.kind === 'adam' ? 3 : 2;
  const pixels = inputsOf(model);
  return { moved: 2 * (shards + vectors) * vector, sum: vector, tasks: labelledBatch * (pixels + LABEL), answers: 0 };
}

/**
 * Returns the traffic of a tensor-parallel step. The parameters and the moments are read and written. In each exchange
 * the sums of every shard are written once and read once; the values that follow from them are written once, and every
 * shard reads them.
 */
export function tensorParallelTraffic(stage: Stage, shards: number): Traffic {
  const { optimizer, labelledBatch, method: settings } = stage;
  const model = denseOnly(stage.model, 'cut into tensor shards');
  const method = methodOf(settings);
  const batch = method.batch(settings);
  const vectors = optimizer.kind === 'adam' ? 3 : 2;
  const rows = labelledBatch + batch;
  const widths = exchangesOf(model).map((exchange) => widthsOf(model, exchange));
  // Fresh pseudo-labels are predicted from a pass without dropout.
  const clean = method.predicts(settings) ? batch * widths[0]!.up : 0;
  const up = FLOAT * widths.reduce((sum, width) => sum + rows * width.up, clean);
  const down = FLOAT * widths.reduce((sum, width) => sum + rows * width.down, 0);
  const moved = 2 * vectors * FLOAT * parameterCount(model) + 2 * shards * up + (1 + shards) * down;
  return { moved, sum: up, tasks: labelledBatch * inputsOf(model), answers: 0 };
}

/** Returns the traffic of predictions of `images` images, which are written to the arena. */
export function labellingTraffic(images: number): Traffic {
  return { moved: PREDICTION * images, sum: 0, tasks: 0, answers: PREDICTION * images };
}
