// Checks that a node's answers fit its requests: that they are as many, of the rows that were asked for, and within the
// possible range. Otherwise an answer that is well formed and wrong would be stored, or change a run, without notice.

import { shardRange } from '../../../src/data/shards.js';
import { methodNamed } from '../../../src/methods/methods.js';
import { FINITE_BOUND } from '../../../src/models/dense/network.js';
import type { Model } from '../../../src/models/model.js';
import { outputsOf } from '../../../src/models/models.js';
import type { GradientResult } from '../../../src/models/tasks.js';
import type { Logits } from '../../../src/models/tensor-tasks.js';
import type { ShardStep } from '../../../src/training/executor.js';

/** A margin, because probabilities of a class are summed in floats. */
const ROUNDING = 1.001;

/** Returns whether these are results of these steps. Results that are marked as not finite may have any losses. */
export const areResultsOf = (results: readonly GradientResult[], steps: readonly ShardStep[]): boolean =>
  results.length === steps.length && results.every((result, i) => isResultOf(result, steps[i]!));

function isResultOf(
  { rows, counted, statistics, finite }: GradientResult,
  { labelled, unlabelled, shard, shards, model }: ShardStep,
): boolean {
  const [first, end] = shardRange(unlabelled?.batch ?? 0, shards, shard);
  const drawn = end - first;
  const classes = outputsOf(model);
  const wanted = drawn > 0 && unlabelled ? methodNamed(unlabelled.method).statistics(unlabelled, classes) : 0;
  return (
    rows === (labelled?.labels.length ?? 0) + drawn &&
    counted <= drawn &&
    statistics.length === wanted &&
    (!finite || statistics.every((sum) => sum >= 0 && sum <= drawn * ROUNDING))
  );
}

/** Returns whether each class is one of the model's, and each confidence a probability. */
export function areLabelsOf(model: Model, classes: Uint16Array, confidences: Float32Array): boolean {
  const units = outputsOf(model);
  return classes.every((each) => each < units) && confidences.every((each) => each >= 0 && each <= 1);
}

/**
 * Returns whether all values are finite, and all bounds so small that the gradient is finite too. NaN fails the
 * comparisons.
 */
export const areFinite = (sums: readonly Logits[]): boolean =>
  sums.every(
    ({ logits, clean, activationBound, weightBound }) =>
      activationBound < FINITE_BOUND && weightBound < FINITE_BOUND && hasOnlyFinite(logits) && hasOnlyFinite(clean),
  );

/** The bits of a float's exponent. They are all set in values that are not finite, and only in these. */
const EXPONENT = 0x7f800000;

/** Checks about a hundred thousand values in each step. By their bits this takes a fraction of a millisecond. */
function hasOnlyFinite({ buffer, byteOffset, length }: Float32Array): boolean {
  const words = new Int32Array(buffer, byteOffset, length);
  for (let i = 0; i < length; i++) if ((words[i]! & EXPONENT) === EXPONENT) return false;
  return true;
}
