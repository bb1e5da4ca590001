// Predicts a range of images: pseudo-labels for the unlabelled set, classes for the evaluation set.

import { type Arena, pseudoLabels } from '../engine/arena.js';
import type { Engine } from './engine.js';
import { paddedRows } from './kind.js';
import type { PredictResult, PredictTask } from './tasks.js';

/**
 * The rows of a batch. Hidden activations of 5000 units then stay in the last-level cache, and larger products gain
 * nothing.
 */
export const PREDICT_ROWS = 256;

export function predict(engine: Engine, task: PredictTask): PredictResult {
  const { model, workspace, set, start, end, withRunnersUp = false } = task;
  const began = performance.now();
  const images = engine.arena.images[set];
  const classes = new Uint16Array(end - start);
  const confidences = new Float32Array(end - start);
  const runnersUp = withRunnersUp
    ? { classes: new Uint16Array(end - start), confidences: new Float32Array(end - start) }
    : undefined;
  for (let first = start; first < end; first += PREDICT_ROWS) {
    const rows = Math.min(PREDICT_ROWS, end - first);
    const network = engine.network(model, paddedRows(rows), workspace, false);
    const positions = Uint32Array.from({ length: rows }, (_, r) => first + r);
    network.load(images, positions, 0);
    network.forward(undefined);
    const predicted = network.classify(rows);
    classes.set(predicted.classes, first - start);
    confidences.set(predicted.confidences, first - start);
    if (!runnersUp) continue;
    const second = network.runnersUp(predicted);
    runnersUp.classes.set(second.classes, first - start);
    runnersUp.confidences.set(second.confidences, first - start);
  }
  const flips = set === 'unlabelled' ? storePseudoLabels(engine.arena, start, { classes, confidences }) : 0;
  const result = { classes, confidences, flips, milliseconds: performance.now() - began };
  return runnersUp ? { ...result, runnersUp } : result;
}

/** Stores the pseudo-labels of the unlabelled images from `start` on. Returns how many of them changed. */
export function storePseudoLabels(
  arena: Arena,
  start: number,
  { classes, confidences }: Pick<PredictResult, 'classes' | 'confidences'>,
): number {
  const { memory, regions } = arena;
  const stored = pseudoLabels(arena).subarray(start, start + classes.length);
  let flips = 0;
  for (let i = 0; i < classes.length; i++) flips += Number(stored[i] !== classes[i]);
  stored.set(classes);
  new Float32Array(memory.buffer, regions.confidences + start * 4, classes.length).set(confidences);
  return flips;
}
