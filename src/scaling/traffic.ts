// Owns how many bytes a step moves, computed from sizes: they are not measured.
import { layoutOf } from '../engine/model.js';
import type { Stage } from '../stage.js';

const FLOAT = 4;
/** A class and its confidence. */
const PREDICTION = 1 + FLOAT;

export interface Traffic {
  /** Bytes that pass between the threads through shared memory: gradient slots or logits and what the update reads and writes, or predictions. */
  readonly moved: number;
  /** Bytes of a sum of gradients, or of partial logits, which nodes would exchange; 0 for predictions. */
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

/**
 * A step by hidden units: the parameters and the moments are read and written; partial logits of each slice are written once and read once,
 * and so is their gradient.
 */
export function slicedTraffic(stage: Stage, slices: number): Traffic {
  const { model, optimizer, labelledBatch, pseudo, denoising } = stage;
  const vectors = optimizer.kind === 'adam' ? 3 : 2;
  const rows = labelledBatch + (pseudo?.batch ?? denoising?.batch ?? 0);
  const logits = FLOAT * model.layers.at(-1)!.units * rows;
  const moved = 2 * vectors * FLOAT * layoutOf(model).length + 4 * slices * logits;
  return { moved, sum: logits, tasks: labelledBatch * model.layers[0]!.inputs, answers: 0 };
}

/** Predictions of `images` images, which are written to the arena. */
export function labellingTraffic(images: number): Traffic {
  return { moved: PREDICTION * images, sum: 0, tasks: 0, answers: PREDICTION * images };
}
