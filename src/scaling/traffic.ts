// Owns how many bytes a step moves, computed from sizes: they are not measured.
import { layoutOf } from '../engine/model.js';
import type { Stage } from '../stage.js';

const FLOAT = 4;
/** A class and its confidence. */
const PREDICTION = 1 + FLOAT;

export interface Traffic {
  /** Bytes that pass between the threads through shared memory: gradient slots and what the update reads and writes, or predictions. */
  readonly moved: number;
  /** Bytes of a sum of gradients, which nodes would exchange; 0 for predictions. */
  readonly sum: number;
  /** Bytes of labelled rows that go out with a step's tasks. */
  readonly tasks: number;
  /** Bytes of results that come back and grow with the work. */
  readonly answers: number;
}

/** A step of training: each slot is written once and read once; the parameters and the moments are read and written. */
export function trainingTraffic({ model, optimizer, labelledBatch }: Stage, shards: number): Traffic {
  const vector = FLOAT * layoutOf(model).length;
  const vectors = optimizer.kind === 'adam' ? 3 : 2;
  const pixels = model.layers[0]!.inputs;
  return { moved: 2 * (shards + vectors) * vector, sum: vector, tasks: labelledBatch * (pixels + 1), answers: 0 };
}

/** Predictions of `images` images, which are written to the arena. */
export function labellingTraffic(images: number): Traffic {
  return { moved: PREDICTION * images, sum: 0, tasks: 0, answers: PREDICTION * images };
}
