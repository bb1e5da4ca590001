// The tasks of a tensor-parallel step, and their results. A network is split into tensor shards of its wide layers'
// units. All shards see the same rows. Partial sums go up to the coordinator and their gradient comes down; labels do
// not.

import type { OptimizerStep } from '../engine/optimizer.js';
import type { DenseModel } from './dense/model.js';
import type { Answer } from './tasks.js';

/**
 * A step as the tensor shards see it. The coordinator draws the same rows from the same streams, and keeps all labels.
 */
export interface TensorStep {
  readonly model: DenseModel;
  readonly seed: number;
  readonly stage: number;
  readonly step: number;
  /**
   * The number of parts of the unlabelled set, each of which draws its part of the batch, and of parts that the hidden
   * units are split into.
   */
  readonly shards: number;
  /** Bytes, `pixels` per row. Row order of a step: these, then the unlabelled rows by shard. */
  readonly labelledImages: Uint8Array;
  /** The unlabelled rows of the whole step; 0 if there are none. */
  readonly unlabelledBatch: number;
  /** Whether the coordinator needs predictions of the unlabelled rows by the parameters of this step, to label them. */
  readonly labelsFresh: boolean;
  /**
   * The standard deviation of the noise on the inputs, which the coordinator reconstructs without it. If left out,
   * there is no noise.
   */
  readonly noise?: number;
  readonly optimizer: OptimizerStep;
}

/** Tensor shards [first, end). */
export interface TensorShardRange {
  readonly first: number;
  readonly end: number;
}

/**
 * What tensor shards add to the logits, [classes, rows], summed in the tree over all tensor shards
 * (collectives/tree.ts). Tensor shard 0 also adds the biases. It is valid until the next step.
 * A network with narrow layers has two more exchanges (dense/tensor-blocks.ts). `logits` are then first the sums that
 * go into the narrow layers, and last the gradient at their outputs; its activationBound is then that of the gradient
 * at the units, as in data-parallel steps.
 */
export interface Logits {
  readonly logits: Float32Array;
  /** The sums of the unlabelled rows, without dropout. Empty if they are not needed. */
  readonly clean: Float32Array;
  /**
   * Bounds that no activation, and no sum of a unit's absolute weights to the classes, exceeds. They are NaN or
   * infinite if those are.
   */
  readonly activationBound: number;
  readonly weightBound: number;
}

/**
 * A step of tensor shards [first, end), which one worker computes: their passes, each as soon as the arena holds what
 * follows from the one before, and at last their updates. If it runs again, it continues where the last worker stopped;
 * running it twice changes nothing.
 */
export interface TensorTask extends Omit<TensorStep, 'labelledImages'> {
  readonly kind: 'tensor-step';
  /** The number of this step since the arena was made, from 1. */
  readonly number: number;
  /** The number of the group of tensor shards, and of groups in all. Each group has its own memory for the rows. */
  readonly group: number;
  readonly groups: number;
  readonly first: number;
  readonly end: number;
  /** The labelled rows, whose bytes are in the arena. */
  readonly labelledBatch: number;
  /**
   * The milliseconds that a task waits after a pass for the next values, because a thread that ends its task is slow to
   * begin the next.
   */
  readonly patience: number;
}

export interface TensorResult extends Answer {
  /** false if something did not arrive in time. */
  readonly isUpdated: boolean;
  readonly milliseconds: {
    readonly input: number;
    readonly forward: number;
    readonly waiting: number;
    readonly backward: number;
  };
}
