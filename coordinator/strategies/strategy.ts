// Defines a strategy: one way to split a training step over workers. All strategies compute the same, except for
// rounding and the masks of dropout.

import type { StepAugmentation } from '../../src/data/augmentation.js';
import type { OptimizerStep } from '../../src/engine/optimizer.js';
import type { PseudolabelError } from '../../src/errors.js';
import { notFinite } from '../../src/failures.js';
import type { UnlabelledRows } from '../../src/methods/method.js';
import type { Model } from '../../src/models/model.js';
import type { GradientResult, LabelledRows } from '../../src/models/tasks.js';

export interface StepRequest {
  readonly model: Model;
  readonly seed: number;
  /**
   * The number of the stage in its run, and of the step in its stage. They are part of the keys of the step's random
   * streams.
   */
  readonly stage: number;
  readonly step: number;
  readonly labelled: LabelledRows | undefined;
  readonly unlabelled: UnlabelledRows | undefined;
  readonly augment?: StepAugmentation;
  readonly optimizer: OptimizerStep;
}

export interface StepOutcome {
  /**
   * What the step minimised: the mean labelled loss + factor * the mean weighted loss of the unlabelled batch
   * (targets.ts).
   */
  readonly loss: number;
  /** The mean loss of the step's labelled rows; 0 if there are none. */
  readonly labelledLoss: number;
  /** The mean over the unlabelled rows that counted, of each loss times the row's weight; 0 if none did. */
  readonly unlabelledLoss: number;
  /** The number of unlabelled rows whose confidence reached the threshold. */
  readonly counted: number;
  /** The number of the step's unlabelled rows; `rows` is the number of all its rows. */
  readonly unlabelled: number;
  readonly rows: number;
  /** Sums over the unlabelled rows, as the method defines them (src/methods/method.ts). */
  readonly statistics: readonly number[];
}

/** The predicted classes of images, and their confidences. */
export interface Predictions {
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
}

export interface Strategy {
  /**
   * Does one step. Throws E_NOT_FINITE before the update, so that the parameters stay unchanged.
   * @param stored the latest pseudo-labels of all unlabelled images
   */
  step(request: StepRequest, stored: Predictions): Promise<StepOutcome>;
}

/**
 * Returns the outcome of a step from the results of all its shards, in their order. A shard without unlabelled rows has
 * no statistics.
 */
export function outcomeOf(
  results: readonly Pick<GradientResult, 'rows' | 'labelledLoss' | 'unlabelledLoss' | 'counted' | 'statistics'>[],
  { labelled, unlabelled }: Pick<StepRequest, 'labelled' | 'unlabelled'>,
): StepOutcome {
  const total = (of: (result: (typeof results)[number]) => number) =>
    results.reduce((sum, result) => sum + of(result), 0);
  const counted = total((result) => result.counted);
  const labelledLoss = total((result) => result.labelledLoss) / (labelled?.labels.length || 1);
  const unlabelledSum = total((result) => result.unlabelledLoss);
  const statistics = new Array<number>(Math.max(...results.map((result) => result.statistics.length))).fill(0);
  for (const result of results) for (const [i, value] of result.statistics.entries()) statistics[i]! += value;
  return {
    loss: labelledLoss + (unlabelled ? unlabelled.factor * (unlabelledSum / unlabelled.batch) : 0),
    labelledLoss,
    unlabelledLoss: unlabelledSum / (counted || 1),
    counted,
    unlabelled: unlabelled?.batch ?? 0,
    rows: total((result) => result.rows),
    statistics,
  };
}

/** Makes the error for a step that is not finite. part: the part of it, such as ', shard 1'. */
export const notFiniteIn = ({ stage, step }: StepRequest, part = ''): PseudolabelError =>
  notFinite(`loss or gradient is not finite in stage ${stage}, step ${step}${part}`);
