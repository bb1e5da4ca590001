// A strategy is one way to cut a training step over workers. The mathematics of all is the same, up to rounding and masks of dropout.

import type { StepAugmentation } from '../../src/data/augmentation.js';
import type { OptimizerStep } from '../../src/engine/optimizer.js';
import { PseudolabelError } from '../../src/errors.js';
import type { UnlabelledRows } from '../../src/methods/method.js';
import type { Model } from '../../src/models/model.js';
import type { GradientResult, LabelledRows } from '../../src/models/tasks.js';

export interface StepRequest {
  readonly model: Model;
  readonly seed: number;
  /** Number of the stage in its run, and of the step in its stage: the names of the step's random streams. */
  readonly stage: number;
  readonly step: number;
  readonly labelled: LabelledRows | undefined;
  readonly unlabelled: UnlabelledRows | undefined;
  readonly augment?: StepAugmentation;
  readonly optimizer: OptimizerStep;
}

export interface StepOutcome {
  /** Means over the step's labelled rows, and over its unlabelled rows that counted (0 where there were none). */
  readonly labelledLoss: number;
  readonly unlabelledLoss: number;
  /** Unlabelled rows whose confidence reached the threshold. */
  readonly counted: number;
  /** Unlabelled rows of the step, and rows in all. */
  readonly unlabelled: number;
  readonly rows: number;
  /** Sums over the unlabelled rows, as the method wants them (src/methods/method.ts). */
  readonly statistics: readonly number[];
}

/** Classes of images, and their confidences. */
export interface Predictions {
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
}

export interface Strategy {
  /**
   * stored: the pseudo-labels that were predicted last, of all unlabelled images.
   * Throws E_NOT_FINITE before the update, so that the parameters stay as they were.
   */
  step(request: StepRequest, stored: Predictions): Promise<StepOutcome>;
}

/** Of a step, from the results of all its shards, in their order. A shard without unlabelled rows has no statistics. */
export function outcomeOf(
  results: readonly Pick<GradientResult, 'rows' | 'labelledLoss' | 'unlabelledLoss' | 'counted' | 'statistics'>[],
  { labelled, unlabelled }: StepRequest,
): StepOutcome {
  const total = (of: (result: (typeof results)[number]) => number) =>
    results.reduce((sum, result) => sum + of(result), 0);
  const counted = total((result) => result.counted);
  const statistics = new Array<number>(Math.max(...results.map((result) => result.statistics.length))).fill(0);
  for (const result of results) for (const [i, value] of result.statistics.entries()) statistics[i]! += value;
  return {
    labelledLoss: total((result) => result.labelledLoss) / (labelled?.labels.length || 1),
    unlabelledLoss: total((result) => result.unlabelledLoss) / (counted || 1),
    counted,
    unlabelled: unlabelled?.batch ?? 0,
    rows: total((result) => result.rows),
    statistics,
  };
}

/** part: of the step that is not finite, such as ', shard 1'. */
export function notFinite({ stage, step }: StepRequest, part = ''): PseudolabelError {
  return new PseudolabelError(
    'E_NOT_FINITE',
    `loss or gradient is not finite in stage ${stage}, step ${step}${part}`,
    'a smaller learning rate helps; the last checkpoint holds the parameters of before',
  );
}
