// Has other machines predict: makes batches that fit into messages, checks that answers fit, and stores pseudo-labels
// here.

import type { Arena } from '../../src/engine/arena.js';
import { PREDICT_ROWS, storePseudoLabels } from '../../src/models/predict.js';
import type { PredictResult, PredictTask } from '../../src/models/tasks.js';
import { floatsOf, labelsOf } from '../../src/protocol/tensor-codec.js';
import type { Ranges } from '../../src/training/executor.js';

/** The most images of one request. Their labels, 6 bytes each, fit into one message. */
const MOST_IMAGES = 2 ** 17;

/** The answer for one range. classes: the bytes of u16 values; confidences: the bytes of floats. */
export interface Predicted {
  readonly classes: Uint8Array;
  readonly confidences: Uint8Array;
  readonly milliseconds: number;
}

/** Images [start, end), a part of the range at this position. */
interface Piece {
  readonly range: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Predicts ranges of images on other machines. Pseudo-labels of unlabelled images are stored in the arena here.
 * @param ask predicts parts of the ranges. It is told the number of images, and may return anything.
 * @param misfit makes the error for an answer that does not fit its request
 * @param arePossible returns whether the labels of a range can be the model's
 * @returns a result for each range, in order
 */
export async function predictElsewhere(
  arena: Arena,
  set: PredictTask['set'],
  ranges: Ranges,
  ask: (parts: [number, number][], images: number) => Promise<readonly Predicted[]>,
  misfit: () => Error,
  arePossible: (classes: Uint16Array, confidences: Float32Array) => boolean = () => true,
): Promise<PredictResult[]> {
  const results = ranges.map(([start, end]) => {
    const images = end - start;
    return { classes: new Uint16Array(images), confidences: new Float32Array(images), milliseconds: 0 };
  });
  for (const batch of batchesOf(ranges, MOST_IMAGES, PREDICT_ROWS)) {
    const parts = batch.map(({ start, end }): [number, number] => [start, end]);
    const images = parts.reduce((sum, [start, end]) => sum + end - start, 0);
    const answers = await ask(parts, images);
    if (answers.length !== parts.length || !answers.every((answer, i) => fits(answer, parts[i]!))) throw misfit();
    batch.forEach(({ range, start }, i) => {
      const { classes, confidences, milliseconds } = answers[i]!;
      const at = start - ranges[range]![0];
      results[range]!.classes.set(labelsOf(classes), at);
      results[range]!.confidences.set(floatsOf(confidences), at);
      results[range]!.milliseconds += milliseconds;
    });
  }
  if (!results.every(({ classes, confidences }) => arePossible(classes, confidences))) throw misfit();
  return results.map((result, i) => {
    return { ...result, flips: set === 'unlabelled' ? storePseudoLabels(arena, ranges[i]![0], result) : 0 };
  });
}

const fits = ({ classes, confidences }: Predicted, [start, end]: Ranges[number]): boolean =>
  classes.length === (end - start) * 2 && confidences.length === (end - start) * 4;

/**
 * Covers the ranges in order by batches of at most `most` images. A range is split at multiples of `unit` images from
 * its start. The reason is that the number of rows of a product may change its last bits, and the results of a range
 * must be the same wherever it is predicted. An empty range is left out.
 */
export function batchesOf(ranges: Ranges, most: number, unit: number): Piece[][] {
  const batches: Piece[][] = [];
  let room = 0;
  ranges.forEach(([first, end], range) => {
    for (let start = first; start < end; ) {
      const left = end - start;
      if (room < Math.min(left, unit)) {
        batches.push([]);
        room = most;
      }
      const length = left <= room ? left : room - (room % unit);
      batches.at(-1)!.push({ range, start, end: start + length });
      start += length;
      room -= length;
    }
  });
  return batches;
}
