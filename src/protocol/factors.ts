// Owns what is asked of a member whose gradients travel as low-rank factors, and of its workers.
import type { Side } from '../engine/factors.js';
import type { Model } from '../engine/model.js';

/** A member's part of one step's sum. */
export interface FactorStep {
  readonly model: Model;
  readonly rank: number;
  readonly step: number;
  /** Whose gradients are in its slots, in order; at least one. */
  readonly shards: readonly number[];
  /** What low rank has left of its last part is added to this one; otherwise that is forgotten. */
  readonly goesOn: boolean;
}

/** Which of the two vectors of residuals. */
export type Residual = 'residual' | 'spare';

/**
 * left: the member's part of the sum, and its left factors; right: its right factors, from the left factors of the total; error: what both
 * leave of its part. Doing a task twice changes nothing.
 */
export interface FactorTask extends Pick<FactorStep, 'model' | 'rank' | 'shards'> {
  readonly kind: 'factors';
  readonly pass: Side | 'error';
  /** What is added to the gradients; undefined: nothing. */
  readonly residual: Residual | undefined;
  /** Where the error goes. */
  readonly error: Residual;
  /** A worker does one of so many parts of each matrix; the bits do not depend on their number. */
  readonly part: number;
  readonly parts: number;
}

export interface FactorResult {
  readonly milliseconds: number;
}
