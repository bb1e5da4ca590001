// Owns predictions by another machine: what is asked for at once, that answers fit, and how they are put together.
import type { PredictResult } from '../../../src/engine/tasks.js';
import { batchesOf } from './prediction-batches.js';

type Range = readonly [start: number, end: number];

/** Of one request: their labels, 5 bytes each, fit into one message. */
const MOST_IMAGES = 2 ** 17;

/** Of one range; confidences are the bytes of floats. */
export interface Predicted {
  readonly classes: Uint8Array;
  readonly confidences: Uint8Array;
  readonly milliseconds: number;
}

/**
 * A result for each of the ranges, without flips, which show where labels are stored.
 * @param ask predicts parts of them, so many images in all. May answer with anything.
 * @param misfit makes the error for an answer that does not fit its question
 */
export async function predictInBatches(
  ranges: readonly Range[],
  ask: (parts: [number, number][], images: number) => Promise<readonly Predicted[]>,
  misfit: () => Error,
): Promise<Omit<PredictResult, 'flips'>[]> {
  const results = ranges.map(([start, end]) => {
    const images = end - start;
    return { classes: new Uint8Array(images), confidences: new Float32Array(images), milliseconds: 0 };
  });
  for (const batch of batchesOf(ranges, MOST_IMAGES)) {
    const parts = batch.map(({ start, end }): [number, number] => [start, end]);
    const images = parts.reduce((sum, [start, end]) => sum + end - start, 0);
    const answers = await ask(parts, images);
    if (answers.length !== parts.length || !answers.every((answer, i) => fits(answer, parts[i]!))) throw misfit();
    batch.forEach(({ range, start }, i) => {
      const { classes, confidences, milliseconds } = answers[i]!;
      const at = start - ranges[range]![0];
      results[range]!.classes.set(classes, at);
      // A copy of its own begins where floats may.
      results[range]!.confidences.set(new Float32Array(new Uint8Array(confidences).buffer), at);
      results[range]!.milliseconds += milliseconds;
    });
  }
  return results;
}

const fits = ({ classes, confidences }: Predicted, [start, end]: Range): boolean =>
  classes.length === end - start && confidences.length === (end - start) * 4;
