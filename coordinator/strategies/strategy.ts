// Owns the contract of a strategy: one way to cut a training step over workers. The mathematics is the same for all, up to rounding and masks.

import type { LabelledRows, OptimizerStep, UnlabelledRows } from '../../src/engine/tasks.js';
import { PseudolabelError } from '../../src/errors.js';
import type { Model } from '../../src/models/model.js';

export interface StepRequest {
  readonly model: Model;
  readonly seed: number;
  /** Number of the stage in its run, and of the step in its stage: the names of the step's random streams. */
  readonly stage: number;
  readonly step: number;
  readonly labelled: LabelledRows | undefined;
  readonly unlabelled: UnlabelledRows | undefined;
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
  /** Sums over the freshly labelled rows of each class's probability, as the request asked; empty where nothing balances them. */
  readonly classMasses: readonly number[];
}

/** Classes of images, and their confidences. */
export interface Predictions {
  readonly classes: Uint8Array;
  readonly confidences: Float32Array;
}

export interface Strategy {
  /**
   * stored: the pseudo-labels that were predicted last, of all unlabelled images.
   * Throws E_NOT_FINITE before the update, so that the parameters stay as they were.
   */
  step(request: StepRequest, stored: Predictions): Promise<StepOutcome>;
}

/** part: of the step that is not finite, such as ', shard 1'. */
export function notFinite({ stage, step }: StepRequest, part = ''): PseudolabelError {
  return new PseudolabelError(
    'E_NOT_FINITE',
    `loss or gradient is not finite in stage ${stage}, step ${step}${part}`,
    'a smaller learning rate helps; the last checkpoint holds the parameters of before',
  );
}
